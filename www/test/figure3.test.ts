import type { Result, UnitInfo } from 'sklens';
import { expect, test } from 'vitest';
import { figure3Layout } from '../src/charts/figure3';
import { figure3Rows } from '../src/lib/figure3';

const unit: UnitInfo = {
  name: 'SK_2_1',
  path: 'features.0',
  channels: 20,
  branches: [3, 5].map((size) => ({ kernel: 3, dilation: (size - 1) / 2, groups: 1, size })),
};
const names = {
  difference: ({ name }: UnitInfo) => `${name} difference`,
  channels: ({ name }: UnitInfo, first: number, last: number) => `${name} ${first}–${last}`,
};

/** Attention of the 5×5 branch: `low` in the first 16 channels, `high` in the rest. */
function result(low: number, high: number): Result {
  const large = Array.from({ length: unit.channels }, (_, channel) => (channel < 16 ? low : high));
  const attention = Float32Array.from([...large.map((value) => 1 - value), ...large]);
  return { units: [{ name: unit.name, attention, meanDifference: high - low }] } as unknown as Result;
}

test('a row for the difference, then one for each 16 channels, the last for what is left', () => {
  const rows = figure3Rows([unit], [result(0.25, 0.75), result(0.5, 1)], names);
  expect(rows).toEqual([
    { name: 'SK_2_1 difference', values: [0.5, 0.5] },
    { name: 'SK_2_1 1–16', values: [0.25, 0.5] },
    { name: 'SK_2_1 17–20', values: [0.75, 1] },
  ]);
});

test('nothing without results, empty where a unit has none', () => {
  expect(figure3Rows([unit], [], names)).toEqual([{ name: 'SK_2_1 difference', values: [] }]);
  const [difference] = figure3Rows([unit], [{ units: [] } as unknown as Result], names);
  expect(difference?.values).toEqual([null]);
});

test.each([390, 639, 640, 1200])('at %i pixels no part overlaps another or leaves the figure', (width) => {
  const { side, channels, bars, height } = figure3Layout(width);
  expect(channels.y).toBeGreaterThan(side);
  expect(bars.x >= channels.x + channels.width || bars.y >= channels.y + channels.height).toBe(true);
  for (const box of [channels, bars]) {
    expect(box.x + box.width).toBeLessThanOrEqual(width);
    expect(box.y + box.height).toBeLessThanOrEqual(height);
  }
});
