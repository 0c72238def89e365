/** Numbers of the tour's sentences: pure functions of its results. */
import type { Inside, PhotoResults, Picture, ZoomResult } from './results';

/** How units lean. */
export interface Lean {
  /** Units that lean to the largest kernel. */
  large: number;
  units: number;
  /** Index of the unit that leans most to the largest, and to the smallest. */
  most: number;
  least: number;
}

export function lean(differences: readonly number[]): Lean {
  const most = differences.indexOf(Math.max(...differences));
  const least = differences.indexOf(Math.min(...differences));
  return { large: differences.filter((value) => value > 0).length, units: differences.length, most, least };
}

/** How units move from one zoom to another. */
export interface Move {
  /** Units that move towards the largest kernel. */
  rising: number;
  units: number;
  /** Index of the unit that moves most, and how far. */
  most: number;
  change: number;
}

export function move(from: ZoomResult, to: ZoomResult): Move {
  const changes = to.differences.map((value, unit) => value - (from.differences[unit] ?? value));
  const sizes = changes.map(Math.abs);
  const most = sizes.indexOf(Math.max(...sizes));
  return { rising: changes.filter((change) => change > 0).length, units: changes.length, most, change: changes[most] ?? 0 };
}

/** The unit whose difference varies most between photos at zoom 1, with the photos at both ends. */
export function spread(photos: readonly PhotoResults[]): { unit: number; low: PhotoResults; high: PhotoResults } | null {
  const [first] = photos;
  if (!first || photos.length < 2) return null;
  const at = (photo: PhotoResults, unit: number) => photo.zooms[0]?.differences[unit] ?? 0;
  const ends = (first.zooms[0]?.differences ?? []).map((_, unit) => {
    const order = [...photos].sort((a, b) => at(a, unit) - at(b, unit));
    const [low, high] = [order[0] ?? first, order.at(-1) ?? first];
    return { unit, low, high, width: at(high, unit) - at(low, unit) };
  });
  return ends.reduce((best, next) => (next.width > best.width ? next : best));
}

/** Photos of which more than half of the units move towards the largest kernel from zoom 1 to `zoom`. */
export function following(photos: readonly PhotoResults[], zoom: number): number {
  return photos.filter(({ zooms }) => {
    const [from, to] = [zooms[0], zooms.find(({ scale }) => scale === zoom)];
    if (!from || !to) return false;
    const { rising, units } = move(from, to);
    return 2 * rising > units;
  }).length;
}

/** How many channels give the branch more than its equal part. */
export function preferring({ attention, shape: [channels = 0] }: Inside, branch: number): number {
  const equal = channels / attention.length;
  return attention.slice(branch * channels, (branch + 1) * channels).filter((share) => share > equal).length;
}

/** What comes out of a unit: its branches, each weighted with its share. */
export function weighted(branches: readonly Picture[], shares: readonly number[]): Float32Array {
  const out = new Float32Array(branches[0]?.pixels.length ?? 0);
  branches.forEach(({ pixels }, branch) => pixels.forEach((value, place) => (out[place] = (out[place] ?? 0) + value * (shares[branch] ?? 0))));
  return out;
}

/** The place where pictures of one size are brightest together. */
export function brightest(pictures: readonly Picture[]): number {
  const sums = weighted(pictures, pictures.map(() => 1));
  return Math.max(0, sums.indexOf(sums.reduce((a, b) => Math.max(a, b), 0)));
}

/** The places that a kernel of `kernel` × `kernel` weights reads around a place of a picture, some of them outside it. */
export function taps([x, y]: readonly [number, number], { kernel, dilation }: { kernel: number; dilation: number }): [number, number][] {
  const steps = Array.from({ length: kernel }, (_, step) => (step - (kernel - 1) / 2) * dilation);
  return steps.flatMap((dy) => steps.map((dx): [number, number] => [x + dx, y + dy]));
}

/** What a full bar stands for, so that every photo's units at every zoom fit, and `more`: a multiple of 0.1, at most 1. */
export function limitOf(photos: readonly PhotoResults[], more: readonly number[] = []): number {
  const values = [...photos.flatMap(({ zooms }) => zooms.flatMap(({ differences }) => differences)), ...more];
  return Math.min(1, Math.ceil(Math.max(0.1, ...values.map(Math.abs)) * 10) / 10);
}
