import { expect, test } from 'vitest';
import type { Result, UnitInfo } from 'sklens';
import { channelList, compare, frozenZooms, NOTHING, overridesOf, touched, withOff, withSetting } from '../src/lib/whatif';

const unit = (name: string): UnitInfo => ({ name, path: name, channels: 2, branches: [] });
const units = [unit('SK_2_1'), unit('SK_2_2'), unit('SK_3_1')];

function result(scale: number, logits: number[]): Result {
  const attention = Float32Array.of(scale, 0, 1, 0);
  const receptiveField = { smallest: 1, largest: 1, expected: 1 };
  return {
    scale,
    logits: Float32Array.from(logits),
    top: logits.map((_, index) => ({ label: `class ${index}`, index, probability: 0 })),
    units: units.map(({ name }) => ({ name, path: name, attention, meanDifference: 0, expectedKernel: 4, receptiveField })),
    tensors: {},
    milliseconds: 1,
  };
}

test('settings become overrides: kinds by name, shares as numbers, frozen values from that zoom, channels from 0', () => {
  let settings = withSetting(NOTHING, ['SK_2_1'], { kind: 'largest' });
  settings = withSetting(settings, ['SK_2_2'], { kind: 'share', share: 0.25 });
  settings = withSetting(settings, ['SK_3_1'], { kind: 'freeze', zoom: 2 });
  settings = withOff(settings, 'SK_3_1', [1, 2]);
  expect(frozenZooms(settings)).toEqual([2]);
  const frozen = result(2, [0]);
  expect(overridesOf(settings, units, [result(1, [0]), frozen])).toEqual({
    SK_2_1: ['largest'],
    SK_2_2: [0.25],
    SK_3_1: [frozen.units[2]?.attention, { off: [0, 1] }],
  });
});

test('what is taken back leaves nothing behind', () => {
  const names = units.map(({ name }) => name);
  const settings = withOff(withSetting(NOTHING, names, { kind: 'swap' }), 'SK_2_1', [2]);
  expect(touched(settings, units)).toEqual(names);
  expect(withOff(withSetting(settings, names, null), 'SK_2_1', [])).toEqual(NOTHING);
});

test.each([
  ['', []],
  ['3, 1', [1, 3]],
  ['2-4 3', [2, 3, 4]],
  ['0', null],
  ['9', null],
  ['4-2', null],
  ['two', null],
])('channels %j of 8', (text, channels) => {
  expect(channelList(text, 8)).toEqual(channels);
});

test('a comparison has the best classes after, and the best before, with both probabilities', () => {
  const rows = compare(result(1, [3, 0, 0, 0]), result(1, [0, 3, 2, 1]), 2);
  expect(rows.map(({ index }) => index)).toEqual([1, 2, 0]);
  expect(rows[2]?.before).toBeCloseTo(Math.exp(3) / (Math.exp(3) + 3), 6);
  expect(rows[0]?.before).toBeCloseTo(1 / (Math.exp(3) + 3), 6);
});
