/** A collection's numbers as files, named and shaped as `sklens sweep` names and shapes them. */
import type { SessionInfo } from 'sklens';
import type { Item } from './collection';
import type { Group } from './statistics';
import { lines } from './table';

export interface Collected {
  info: SessionInfo;
  /** Names of the units that choose. */
  units: readonly string[];
  scales: readonly number[];
  items: readonly Item[];
  missing: readonly { image: string; error: string }[];
  summary: { all: Group; classes: Record<string, Group> };
}

/** The summary, as `sklens sweep --summary FILE.json` writes it; `photos` counts those looked at. */
export function summaryJson({ info, units, scales, items, missing, summary }: Collected): string {
  const { model, backend, inputSize: size } = info;
  const measured = { ...summary.all, classes: summary.classes };
  return JSON.stringify({ model, backend, size, scales, units, photos: items.length, missing, measured }, null, 1);
}

/** A line per photo, zoom and unit; `rows` are by item, each by zoom and unit. */
export function rowsCsv({ units, scales, items }: Collected, rows: readonly (Float32Array | null | undefined)[]): string {
  const of = (row: Float32Array | null | undefined, { path, class: name }: Item) =>
    [...(row ?? [])].map((difference, at) => [
      path,
      name ?? '',
      units[at % units.length] ?? '',
      scales[Math.floor(at / units.length)] ?? null,
      difference,
    ]);
  return lines([['image', 'class', 'unit', 'scale', 'difference'], ...items.flatMap((item, index) => of(rows[index], item))]);
}
