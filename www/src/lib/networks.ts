/** Networks as the page lists them: groups, search, order. */
import type { ModelInfo } from 'sklens';
import * as sklens from 'sklens';
import { links, published } from '../weights/published';

export type Group = 'paper' | 'ablation' | 'timm' | 'baseline';

/** Which group a preset is listed in. */
export function groupOf({ name, units }: ModelInfo): Group {
  if (name.startsWith('sknet50_k')) return 'ablation';
  if (units.length === 0) return 'baseline';
  return name.startsWith('skresnet') ? 'timm' : 'paper';
}

/** The nearest place to have weights from: this page, a download in it, the publisher's own site, or nowhere known. */
export type WeightsSource = 'bundled' | 'download' | 'link' | 'none';

export function sourceOf({ name }: ModelInfo): WeightsSource {
  if (sklens.bundledModels().includes(name)) return 'bundled';
  if (published.some(({ model }) => model === name)) return 'download';
  return links.some(({ model }) => model === name) ? 'link' : 'none';
}

/** The columns of the table; null where nothing is published. */
export const columns = {
  name: (model: ModelInfo) => model.name,
  group: groupOf,
  weights: (model: ModelInfo) => {
    const source = sourceOf(model);
    return source === 'none' ? null : source;
  },
  params: (model: ModelInfo) => model.params,
  macs: (model: ModelInfo) => model.macs,
  withSelect: (model: ModelInfo) => model.macs + model.selectMacs,
  units: (model: ModelInfo) => model.units.length,
  paperParams: (model: ModelInfo) => model.paper?.params ?? null,
  paperGflops: (model: ModelInfo) => model.paper?.gflops ?? null,
  paperError: (model: ModelInfo) => model.paper?.top1Error ?? null,
  top1: (model: ModelInfo) => model.accuracy?.top1 ?? null,
} satisfies Record<string, (model: ModelInfo) => string | number | null>;

export type Column = keyof typeof columns;

export interface Order {
  column: Column;
  descending: boolean;
}

/** Those whose names or group contain every word of `search`, in `order`; what is not published comes last. */
export function listed(models: readonly ModelInfo[], search: string, order: Order | null): ModelInfo[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (model: ModelInfo) => [model.name, ...model.aliases, groupOf(model)].join(' ');
  const found = models.filter((model) => words.every((word) => text(model).includes(word)));
  if (!order) return found;
  const value = columns[order.column];
  return found.sort((first, second) => {
    const [a, b] = [value(first), value(second)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const ascending = typeof a === 'string' ? a.localeCompare(String(b)) : a - Number(b);
    return order.descending ? -ascending : ascending;
  });
}

/** The network with published figures whose multiply-adds are closest. */
export function nearest(models: readonly ModelInfo[], to: ModelInfo): ModelInfo | undefined {
  const distance = (model: ModelInfo) => Math.abs(Math.log(model.macs / to.macs));
  return models.filter(({ paper }) => paper !== null).sort((a, b) => distance(a) - distance(b))[0];
}
