/** Receptive fields as the page shows them: places, boxes, colours and rows of numbers. */
import type { Overrides, PixelBox, ReceptiveField } from 'sklens';
import { t } from '../strings';
import type { Crop, Point } from './crop';
import type { Table } from './table';

/** Attention as the network decides it, or forced to one kernel in every unit. */
export const MODES = ['smallest', 'network', 'largest'] as const;
export type Mode = (typeof MODES)[number];

/** What replaces attention in a mode. */
export function overrideOf(mode: Mode): Overrides {
  return mode === 'network' ? {} : { '*': mode };
}

export type Fields = Record<Mode, ReceptiveField>;

/** The share whose square the charts compare. */
export const CHART_SHARE = 0.9;

/** Side of the square that holds a share of the map; null if the map is 0. */
export function sideOf({ squares }: ReceptiveField, share: number): number | null {
  return squares.find((square) => square.share === share)?.side ?? null;
}

/** A place of the photo, in fractions, as fractions of the crop; kept inside it by half a pixel of an input of `side`. */
export function placeInCrop(spot: Point, [width, height]: readonly [number, number], crop: Crop, side: number): Point {
  const margin = 0.5 / side;
  const inside = (at: number, start: number) => Math.min(Math.max((at - start) / crop.side, margin), 1 - margin);
  return [inside(spot[0] * width, crop.x), inside(spot[1] * height, crop.y)];
}

/** The other way round. */
export function placeInPhoto(place: Point, [width, height]: readonly [number, number], crop: Crop): Point {
  return [(crop.x + place[0] * crop.side) / width, (crop.y + place[1] * crop.side) / height];
}

/** Whether a crop shows a place of the photo. */
export function shows(spot: Point, [width, height]: readonly [number, number], crop: Crop): boolean {
  const within = (at: number, start: number) => at >= start && at <= start + crop.side;
  return within(spot[0] * width, crop.x) && within(spot[1] * height, crop.y);
}

/** The box of the expected field: as wide as attention makes it, around the middle of the theoretical one. */
export function expectedBox({ theoretical: { x0, y0, x1, y1 }, sizes }: ReceptiveField): PixelBox {
  const [x, y, half] = [(x0 + x1) / 2, (y0 + y1) / 2, sizes.expected / 2];
  return { x0: x - half, y0: y - half, x1: x + half, y1: y + half };
}

/** Heat from nothing to the largest value. */
const RAMP = [
  [30, 6, 60],
  [120, 28, 109],
  [212, 72, 66],
  [251, 155, 6],
  [252, 255, 164],
] as const;

/** The heat map as RGBA, transparent where nothing acts; brightness as the square root of the value, since a few pixels tower above all others. */
export function heat(map: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const largest = map.reduce((most, value) => Math.max(most, value), 0);
  const pixels = new Uint8ClampedArray(4 * map.length);
  map.forEach((value, place) => {
    const part = largest > 0 ? Math.sqrt(value / largest) : 0;
    const at = part * (RAMP.length - 1);
    const step = Math.min(Math.floor(at), RAMP.length - 2);
    const [low, high] = [RAMP[step], RAMP[step + 1]] as [readonly number[], readonly number[]];
    low.forEach((from, c) => (pixels[4 * place + c] = from + (at - step) * ((high[c] ?? from) - from)));
    pixels[4 * place + 3] = 255 * Math.min(1, 1.6 * part);
  });
  return pixels;
}

/** The widths of fields under each kind of attention: what holds a share of the heat, what attention expects, what theory allows. */
export function widths(fields: Fields, modeNames: Record<Mode, string>): Table {
  const f = t.field;
  return {
    columns: [f.columns.width, ...MODES.map((mode) => modeNames[mode])],
    rows: [
      ...[0.5, 0.9, 0.99].map((share) => ({ name: f.share(share), values: MODES.map((mode) => sideOf(fields[mode], share)) })),
      { name: f.rows.expected, values: MODES.map((mode) => fields[mode].sizes.expected) },
      { name: f.rows.theoretical, values: MODES.map((mode) => fields[mode].sizes[mode === 'smallest' ? 'smallest' : 'largest']) },
    ],
    format: f.pixels,
  };
}

/** What a chart shows at one unit or zoom. */
export interface FieldPoint {
  x: string;
  fields: Fields;
}

/** The sides that a chart draws, and how wide theory and attention make the field. */
export function chartRows(points: readonly FieldPoint[]) {
  return points.map(({ x, fields }) => ({
    x,
    ...fields.network.sizes,
    sides: Object.fromEntries(MODES.map((mode) => [mode, sideOf(fields[mode], CHART_SHARE)])) as Record<Mode, number | null>,
  }));
}

export type ChartRow = ReturnType<typeof chartRows>[number];
