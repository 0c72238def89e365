/** The mean of receptive fields of one unit, place and input size, by the rules of `sklens receptive-field --mean`. */
import type { EnergySquare, ReceptiveField } from 'sklens';

export class FieldMean {
  #first: ReceptiveField | undefined;
  #map = new Float64Array();
  #expected = 0;
  #milliseconds = 0;
  count = 0;

  /** Counts `field` in; throws if it is of another unit, place or size than those before. */
  add(field: ReceptiveField): void {
    const first = (this.#first ??= field);
    const of = ({ unit, shape, pixel }: ReceptiveField) => [unit, ...shape, ...pixel].join();
    if (of(field) !== of(first)) throw new Error(`A field of ${of(field)} cannot be averaged with one of ${of(first)}.`);
    if (this.count === 0) this.#map = new Float64Array(field.map.length);
    field.map.forEach((value, place) => (this.#map[place] = (this.#map[place] ?? 0) + value));
    this.#expected += field.sizes.expected;
    this.#milliseconds += field.milliseconds;
    this.count++;
  }

  /** The mean; null of none. */
  field(): ReceptiveField | null {
    if (!this.#first) return null;
    const map = Float32Array.from(this.#map, (sum) => sum / this.count);
    const { shape, pixel, sizes, squares } = this.#first;
    const shares = squares.length > 0 ? squares.map(({ share }) => share) : [0.5, 0.9, 0.99];
    return {
      ...this.#first,
      map,
      sizes: { ...sizes, expected: this.#expected / this.count },
      squares: energySquares(map, shape, pixel, shares),
      milliseconds: this.#milliseconds / this.count,
    };
  }
}

/** The smallest squares centred on the pixel `[x, y]` that hold each of `shares` of the sum of a map, `[height, width]`; none if the sum is 0. */
export function energySquares(
  map: Float32Array,
  [height, width]: readonly [number, number],
  [x, y]: readonly [number, number],
  shares: readonly number[],
): EnergySquare[] {
  // Sums over the rings of pixels at equal distance along the farther axis.
  const rings = new Float64Array(Math.max(height, width));
  map.forEach((value, place) => {
    const ring = Math.max(Math.abs((place % width) - x), Math.abs(Math.floor(place / width) - y));
    rings[ring] = (rings[ring] ?? 0) + value;
  });
  const total = rings.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return [];
  return shares.map((share) => {
    let sum = 0;
    // Rounding must not ask for more than there is.
    const found = rings.findIndex((ring) => (sum += ring) >= share * total * (1 - 1e-12));
    const radius = found < 0 ? rings.length - 1 : found;
    const span = (at: number, size: number) => [Math.max(0, at - radius), Math.min(size, at + radius + 1)] as const;
    const [[x0, x1], [y0, y1]] = [span(x, width), span(y, height)];
    return { share, side: 2 * radius + 1, bounds: { x0, y0, x1, y1 } };
  });
}
