/** Mean differences of attention against something that varies: the zoom, a stimulus's size. */
import type { Result } from 'sklens';

export interface TrendPoint {
  unit: string;
  /** What varies. */
  x: number;
  /** Mean attention of the largest branch minus that of the smallest. */
  difference: number;
}

/** One point per unit and result, units in the network's order, by rising x. */
export function trendPoints(results: readonly { x: number; result: Result }[]): TrendPoint[] {
  const rising = [...results].sort((a, b) => a.x - b.x);
  return rising.flatMap(({ x, result }) =>
    result.units.flatMap(({ name, meanDifference }) =>
      meanDifference === null ? [] : [{ unit: name, x, difference: meanDifference }],
    ),
  );
}

/** How far each unit moves from the smallest x to the largest, the greatest move first. */
export function trendMoves(points: readonly TrendPoint[]): { unit: string; from: TrendPoint; to: TrendPoint; change: number }[] {
  return [...new Set(points.map(({ unit }) => unit))]
    .flatMap((unit) => {
      const own = points.filter((point) => point.unit === unit);
      const [from, to] = [own[0], own.at(-1)];
      return from && to ? [{ unit, from, to, change: to.difference - from.difference }] : [];
    })
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
}
