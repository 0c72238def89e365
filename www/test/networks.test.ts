import { expect, test } from 'vitest';
import { groupOf, listed, nearest, sourceOf } from '../src/lib/networks';
import { models as presets } from './fake-models';

const [shufflenet, sknet50] = presets as [(typeof presets)[0], (typeof presets)[0]];
const baseline = { ...sknet50, name: 'resnext50_32x4d', aliases: [], units: [], paper: null, macs: 4e9, accuracy: { weights: '', top1: 80, top5: 90 } };
const ablation = { ...sknet50, name: 'sknet50_k3_k7', aliases: [], paper: { top1Error: 20.97, params: null, gflops: 4.47 } };
const timm = { ...sknet50, name: 'skresnet18', aliases: [], macs: 1.8e9 };
const all = [shufflenet, sknet50, baseline, ablation, timm];
const names = (...args: Parameters<typeof listed>) => listed(...args).map(({ name }) => name);

test('networks fall into groups', () => {
  expect(all.map(groupOf)).toEqual(['paper', 'paper', 'baseline', 'ablation', 'timm']);
});

test('weights are had from the page, from a download, from the publisher, or from nowhere', () => {
  const linked = { ...baseline, name: 'shufflenet_v2_x1_0' };
  expect([shufflenet, sknet50, linked, ablation].map(sourceOf)).toEqual(['bundled', 'download', 'link', 'none']);
  expect(names([ablation, linked, sknet50, shufflenet], '', { column: 'weights', descending: false })).toEqual(
    [shufflenet, sknet50, linked, ablation].map(({ name }) => name),
  );
});

test('search looks at names, other names and groups, for every word', () => {
  expect(names(all, 'SKRESNEXT', null)).toEqual(['sknet50']);
  expect(names(all, 'ablation k7', null)).toEqual(['sknet50_k3_k7']);
  expect(names(all, 'ablation k9', null)).toEqual([]);
});

test('order goes both ways, what is not published stays last', () => {
  expect(names(all, '', { column: 'macs', descending: false })[0]).toBe('sk_shufflenet_v2_x1_0');
  expect(names(all, '', { column: 'top1', descending: true })[0]).toBe('resnext50_32x4d');
  const errors = names(all, '', { column: 'paperError', descending: true });
  expect(errors[0]).toBe('sk_shufflenet_v2_x1_0');
  expect(errors.at(-1)).toBe('resnext50_32x4d');
  expect(names(all, '', { column: 'name', descending: false })[0]).toBe('resnext50_32x4d');
});

test('the nearest network of the paper is one with figures', () => {
  expect(nearest(all, { ...baseline, macs: 1.2e8 })?.name).toBe('sk_shufflenet_v2_x1_0');
  expect(nearest(all, baseline)?.name).toBe('sknet50');
  expect(nearest([baseline], baseline)).toBeUndefined();
});
