import { expect, it } from 'vitest';
import type { Benchmark } from '../api/types';
import { reached, roofAt, together } from '../src/lib/roofline';

const roofline = { gflops: 40, gigabytes: 10 };
const benchmark: Benchmark = {
  size: [64, 64],
  batch: 1,
  milliseconds: 5,
  roofline,
  layers: [
    { name: 'conv1', kernel: 'dense_conv', macs: 40e6, bytes: 4e6, milliseconds: 4, rooflineMilliseconds: 2 },
    { name: 'gather', kernel: 'gather', macs: 0, bytes: 2e6, milliseconds: 0.1, rooflineMilliseconds: 0.2 },
    { name: 'gather', kernel: 'gather', macs: 0, bytes: 2e6, milliseconds: 0.4, rooflineMilliseconds: 0.2 },
  ],
};

it('compares every layer with the roofline', () => {
  const [conv, cached, gather] = reached(benchmark);
  expect(conv).toEqual({ name: '1. conv1 (dense_conv)', milliseconds: 4, gflops: 20, gigabytes: 1, intensity: 20, share: 50 });
  expect(cached).toMatchObject({ gflops: 0, intensity: 0, share: 200 });
  expect(gather?.name).not.toBe(cached?.name);
  expect(gather?.gigabytes).toBeCloseTo(5);
});

it('adds the layers up', () => {
  const { milliseconds, roofline, slowest } = together(benchmark);
  expect(milliseconds).toBeCloseTo(4.5);
  expect(roofline).toBeCloseTo(2.4);
  expect(slowest?.name).toBe('conv1');
  expect(together({ ...benchmark, layers: [] })).toEqual({ milliseconds: 0, roofline: 0, slowest: undefined });
});

it('is bound by memory below the ridge and by arithmetic above', () => {
  expect([1, 4, 100].map((intensity) => roofAt(roofline, intensity))).toEqual([10, 40, 40]);
});
