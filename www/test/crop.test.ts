import { describe, expect, test } from 'vitest';
import { clampCenter, cropBox } from '../src/lib/crop';

describe('cropBox', () => {
  test('is the central square of the shorter side at zoom 1', () => {
    expect(cropBox(640, 480, 1, 1, [0.5, 0.5])).toEqual({ x: 80, y: 0, side: 480 });
    expect(cropBox(480, 640, 1, 1, [0.5, 0.5])).toEqual({ x: 0, y: 80, side: 480 });
  });

  test('shrinks with the zoom and with crop_pct', () => {
    expect(cropBox(640, 480, 1, 2, [0.5, 0.5])).toEqual({ x: 200, y: 120, side: 240 });
    expect(cropBox(640, 480, 0.875, 1, [0.5, 0.5])).toEqual({ x: 110, y: 30, side: 420 });
  });

  test.each([
    [[0, 0], { x: 0, y: 0, side: 240 }],
    [[1, 1], { x: 400, y: 240, side: 240 }],
    [[-3, 0.5], { x: 0, y: 120, side: 240 }],
    [[0.25, 0.75], { x: 40, y: 240, side: 240 }],
  ] as const)('stays inside for centre %j', (center, box) => {
    expect(cropBox(640, 480, 1, 2, center)).toEqual(box);
  });
});

test('clampCenter is the middle of the box and keeps a centre that fits', () => {
  expect(clampCenter(640, 480, 1, 1, [0.1, 0.1])).toEqual([0.375, 0.5]);
  expect(clampCenter(640, 480, 1, 2, [0.5, 0.6])).toEqual([0.5, 0.6]);
});
