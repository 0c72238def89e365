import { expect, test } from 'vitest';
import type { ReceptiveField } from 'sklens';
import { energySquares, FieldMean } from '../src/lib/fieldMean';

test('squares are the smallest that hold their share, as in the engine', () => {
  const map = new Float32Array(7 * 9);
  map.set([0.6, 0.3], 2 * 9 + 3);
  map[6 * 9 + 8] = 0.1;
  const squares = energySquares(map, [7, 9], [3, 2], [0.5, 0.9, 1]);
  expect(squares.map(({ side }) => side)).toEqual([1, 3, 11]);
  expect(squares[1]?.bounds).toEqual({ x0: 2, y0: 1, x1: 5, y1: 4 });
  expect(squares[2]?.bounds).toEqual({ x0: 0, y0: 0, x1: 9, y1: 7 });
  expect(energySquares(new Float32Array(4), [2, 2], [0, 0], [0.5])).toEqual([]);
});

test('means are of maps and expected sizes, of one unit and place', () => {
  const field = (pixel: [number, number], value: number, expected: number): ReceptiveField => ({
    unit: 'SK_2_1',
    pixel,
    cell: [0, 0],
    theoretical: { x0: 0, y0: 0, x1: 3, y1: 3 },
    theoreticalInside: null,
    sizes: { smallest: 1, largest: 3, expected },
    shape: [3, 3],
    map: Float32Array.from({ length: 9 }, (_, place) => (place === 4 ? value : 1)),
    squares: [],
    milliseconds: 10,
  });
  const mean = new FieldMean();
  expect(mean.field()).toBeNull();
  mean.add(field([1, 1], 12, 2));
  mean.add(field([1, 1], 20, 3));
  expect(() => mean.add(field([0, 1], 1, 1))).toThrow('cannot be averaged');
  const found = mean.field();
  expect([mean.count, found?.sizes.expected, found?.map[4], found?.map[0]]).toEqual([2, 2.5, 16, 1]);
  expect(found?.squares.map(({ share, side }) => [share, side])).toEqual([[0.5, 1], [0.9, 3], [0.99, 3]]);
});
