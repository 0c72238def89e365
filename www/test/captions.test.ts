import { expect, test } from 'vitest';
import type { Result, UnitInfo } from 'sklens';
import { channelsCaption, depthCaption } from '../src/lib/captions';

const unit = (name: string): UnitInfo => ({
  name,
  path: name,
  channels: 4,
  branches: [3, 5].map((size) => ({ kernel: 3, dilation: (size - 1) / 2, groups: 4, size })),
});
const units = [unit('SK_2_1'), unit('SK_3_1')];

/** Attention of the 5×5 branch, by unit. */
function result(scale: number, ...large: number[][]): Result {
  return {
    scale,
    top: [],
    logits: new Float32Array(),
    milliseconds: 1,
    tensors: {},
    units: large.map((values, index) => ({
      name: units[index]?.name ?? '',
      path: '',
      attention: Float32Array.from([...values.map((value) => 1 - value), ...values]),
      meanDifference: values.reduce((sum, value) => sum + 2 * value - 1, 0) / values.length,
      expectedKernel: 4,
      receptiveField: { smallest: 11, largest: 19, expected: 15 },
    })),
  };
}

const low = [0.25, 0.5, 0.25, 0.5];
const high = [0.5, 0.5, 0.75, 0.25];

test('a rise names both ends and the channels that turned', () => {
  expect(channelsCaption(units[0] as UnitInfo, result(1.4, low), [result(1, low), result(2, high)])).toBe(
    'SK_2_1 at 1.40×: its 4 channels give 5×5 a mean attention of 0.375, from 0.250 to 0.500. ' +
      'From 1.0× to 2.0× the mean rises from 0.375 to 0.500; 2 of 4 channels turn towards 5×5.',
  );
});

test('a fall is told as turning away, since more kernels than one may gain', () => {
  expect(channelsCaption(units[0] as UnitInfo, result(1, high), [result(1, high), result(2, low)])).toContain(
    'the mean falls from 0.500 to 0.375; 2 of 4 channels turn away from 5×5.',
  );
});

test('no change is no movement, and no sweep no sentence about one', () => {
  expect(channelsCaption(units[0] as UnitInfo, result(1, low), [result(1, low), result(2, low)])).toContain('stays at 0.375');
  expect(channelsCaption(units[0] as UnitInfo, result(1, low), [])).not.toContain('From 1.0×');
});

test('the units that move and the one that moves most', () => {
  const sweep = [result(1, low, high), result(2, high, low.map((value) => value - 0.125))];
  expect(depthCaption(units, result(1.2, high, low), sweep)).toBe(
    'From 1.0× to 2.0×, 1 of 2 units moves towards 5×5. SK_3_1 moves most, by −0.500. At 1.20×, 0 of 2 lean to 5×5.',
  );
});
