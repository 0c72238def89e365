import type { Result } from 'sklens';
import { expect, test } from 'vitest';
import { followingOf, isCounterexample } from '../src/lib/counterexample';

/** A result whose units have these mean differences of attention. */
function result(scale: number, differences: readonly (number | null)[]): Result {
  return { scale, units: differences.map((meanDifference, unit) => ({ name: `SK_2_${unit + 1}`, meanDifference })) } as unknown as Result;
}

test('the change from 1× to 2×, over units with two branches at both', () => {
  const following = followingOf([result(2, [0.3, -0.1, null, 0.2]), result(1.5, [9, 9, 9, 9]), result(1, [0.1, 0.1, 0.4, 0.1])]);
  expect(following?.change).toBeCloseTo((0.2 - 0.2 + 0.1) / 3);
  expect(following).toMatchObject({ rising: 2, units: 3 });
});

test('nothing is said without both zooms, or without units', () => {
  expect(followingOf([result(1, [0.1])])).toBeNull();
  expect(followingOf([result(1, []), result(2, [])])).toBeNull();
});

test.each([
  ['the mean falls and half of the units rise', { change: -0.01, rising: 2, units: 4 }, true],
  ['the mean falls, but most units rise', { change: -0.01, rising: 3, units: 4 }, false],
  ['few units rise, but the mean does', { change: 0.01, rising: 1, units: 4 }, false],
  ['nothing changes', { change: 0, rising: 0, units: 4 }, false],
])('%s', (_, following, expected) => {
  expect(isCounterexample(following)).toBe(expected);
});
