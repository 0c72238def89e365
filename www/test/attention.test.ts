import { describe, expect, test } from 'vitest';
import type { UnitInfo } from 'sklens';
import { attentionDomain } from '../src/charts/channels';
import { differenceDomain } from '../src/charts/depth';
import {
  branchAttention,
  branchKind,
  defaultUnit,
  groupMeans,
  kernelName,
  kernelNames,
  largestBranch,
  smallestBranch,
  stages,
} from '../src/lib/attention';
import { t } from '../src/strings';

const branch = (size: number) => ({ kernel: 3, dilation: (size - 1) / 2, groups: 32, size });
const unit = (name: string, channels = 4, sizes = [3, 5]): UnitInfo => ({ name, path: name, channels, branches: sizes.map(branch) });

describe('groupMeans', () => {
  test('means of 16 successive channels, the last group of what is left', () => {
    const values = Float32Array.from({ length: 40 }, (_, channel) => channel);
    expect(groupMeans(values)).toEqual([
      { first: 1, last: 16, mean: 7.5 },
      { first: 17, last: 32, mean: 23.5 },
      { first: 33, last: 40, mean: 35.5 },
    ]);
  });

  test('a group size of 1 is every channel', () => {
    expect(groupMeans(Float32Array.of(0.25, 0.75), 1).map(({ mean }) => mean)).toEqual([0.25, 0.75]);
  });
});

describe('branches', () => {
  test('are told apart by effective size, wherever they stand', () => {
    const turned = unit('SK_2_1', 4, [5, 7, 3]);
    expect([largestBranch(turned), smallestBranch(turned)]).toEqual([1, 2]);
    expect(kernelName(turned, 1)).toBe('7×7');
  });

  test('own successive parts of the attention', () => {
    const attention = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const receptiveField = { smallest: 11, largest: 19, expected: 15 };
    const result = { name: 'SK_2_1', path: '', attention, meanDifference: 0, expectedKernel: 4, receptiveField };
    expect([...branchAttention(unit('SK_2_1'), result, 1)]).toEqual([5, 6, 7, 8]);
  });
});

test('units are grouped by stage and the first shown is the last of the second stage', () => {
  const units = ['SK_2_1', 'SK_2_2', 'SK_3_1', 'SK_3_2', 'SK_4_1'].map((name) => unit(name));
  expect(stages(units).map(({ stage, units }) => [stage, units.length])).toEqual([
    ['2', 2],
    ['3', 2],
    ['4', 1],
  ]);
  expect(defaultUnit(units)).toBe('SK_3_2');
  expect(defaultUnit([])).toBe('');
});

test('axes hold every value and show the balance', () => {
  const groups = (...means: number[]) => means.map((mean) => ({ first: 1, last: 1, mean }));
  expect(attentionDomain(groups(0.5), 0.5)).toEqual([0.4, 0.6]);
  expect(attentionDomain(groups(0.31, 0.52), 0.5)).toEqual([0.2, 0.6]);
  expect(attentionDomain(groups(0.34), 1 / 3)).toEqual([0.2, 0.5]);
  const [low, high] = attentionDomain(groups(0.02, 0.99), 0.5);
  expect(low).toBe(0);
  expect(high).toBe(1);
  expect(differenceDomain([{ unit: 'a', place: 0, difference: -0.31 }])).toEqual([-0.35, 0.05]);
  expect(differenceDomain([{ unit: 'a', place: 0, difference: 0.99 }])).toEqual([-0.05, 1]);
  expect(differenceDomain([])).toEqual([-0.05, 0.05]);
});

test('branches of one, two and three kernels are named and drawn apart', () => {
  const kinds = (sizes: number[]) => {
    const of = unit('SK_2_1', 4, sizes);
    return [kernelNames(of), of.branches.map((_, m) => branchKind(of, m))];
  };
  expect(kinds([3])).toEqual([['3×3'], ['large']]);
  expect(kinds([3, 5])).toEqual([['3×3', '5×5'], ['small', 'large']]);
  expect(kinds([7, 3, 5])).toEqual([['7×7', '3×3', '5×5'], ['large', 'small', 'middle']]);
});

test('sentences count the kernels', () => {
  expect(t.lead(['3×3'])).toContain('through one kernel, 3×3, so there is nothing to choose');
  expect(t.lead(['3×3', '5×5'])).toContain('through two kernels, 3×3 and 5×5, and decides');
  expect(t.lead(['3×3', '5×5', '7×7'])).toContain('through three kernels, 3×3, 5×5 and 7×7, and decides');
  expect(t.channels.meaning(['3×3', '5×5', '7×7'])).toContain('its 3×3, 5×5 and 7×7 shares add up to 1');
  expect(t.channels.meaning(['3×3'])).toContain('The only kernel, 3×3,');
  expect(t.network.lead(['3×3'])).toContain('meets 3×3 alone');
});
