import { expect, test } from 'vitest';
import type { Result, TensorValues, UnitInfo } from 'sklens';
import { allNames, channelOf, costs, insideOf, strongest } from '../src/lib/unit';

const unit: UnitInfo = {
  name: 'SK_2_1',
  path: 'layer1.0.conv2',
  channels: 4,
  branches: [1, 2].map((dilation) => ({ kernel: 3, dilation, groups: 2, size: 1 + 2 * dilation })),
};
const tensor = (shape: TensorValues['shape']): TensorValues => ({ shape, data: Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, at) => at) });

test('asks for every part by its name and reads them all, or none', () => {
  const names = allNames(unit);
  expect(names).toContain('layer1.0.conv2.paths.1.act');
  const tensors = Object.fromEntries(names.map((name) => [name, tensor([4, 2, 2])]));
  const own = { name: unit.name, attention: Float32Array.of(1) };
  const whole = { tensors, units: [own] } as unknown as Result;
  expect(insideOf(unit, whole)?.branches).toHaveLength(2);
  const { 'layer1.0.conv2.sum': _, ...others } = tensors;
  expect(insideOf(unit, { ...whole, tensors: others })).toBeNull();
});

test('parameters and multiply-adds by part', () => {
  const parts = costs({ unit, output: tensor([4, 3, 5]), z: new Float32Array(6) });
  // Two branches of 4 filters over 2 channels with 9 taps; two batch norms of 4 channels.
  expect(parts.split).toEqual({ params: 2 * 72 + 16, macs: 2 * 72 * 15 });
  expect(parts.fuse).toEqual({ params: 4 * 6 + 12, macs: 24 });
  expect(parts.select).toEqual({ params: 48, macs: 48 + 2 * 4 * 15 });
});

test('the strongest channels come first', () => {
  expect(strongest(tensor([3, 2, 2]), 2)).toEqual([2, 1]);
  expect([...channelOf(tensor([3, 2, 2]), 1)]).toEqual([4, 5, 6, 7]);
});
