import { expect, test } from 'vitest';
import type { Result } from 'sklens';
import { trendGrid } from '../src/charts/trend';
import { trendMoves, trendPoints } from '../src/lib/trend';

const at = (x: number, ...differences: (number | null)[]) => ({
  x,
  result: { units: differences.map((meanDifference, index) => ({ name: `SK_2_${index + 1}`, meanDifference })) } as Result,
});

test('points rise in x whatever the order of the answers; single branches have none', () => {
  const points = trendPoints([at(3, 0.1, null), at(1, 0.3, null)]);
  expect(points).toEqual([
    { unit: 'SK_2_1', x: 1, difference: 0.3 },
    { unit: 'SK_2_1', x: 3, difference: 0.1 },
  ]);
});

test('the unit that moves most comes first', () => {
  const moves = trendMoves(trendPoints([at(1, 0, 0), at(2, 0.1, -0.4)]));
  expect(moves.map(({ unit, change }) => [unit, change])).toEqual([
    ['SK_2_2', -0.4],
    ['SK_2_1', 0.1],
  ]);
});

test('small charts fill rows', () => {
  expect(trendGrid(16, 700)).toEqual({ columns: 8, rows: 2 });
  expect(trendGrid(16, 360)).toEqual({ columns: 4, rows: 4 });
  expect(trendGrid(3, 700)).toEqual({ columns: 3, rows: 1 });
});
