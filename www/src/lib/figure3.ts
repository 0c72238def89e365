/** The numbers of the paper's figure 3. */
import type { Result, UnitInfo } from 'sklens';
import { branchAttention, groupMeans, largestBranch, unitResult } from './attention';
import type { Table } from './table';

/** How the rows of {@link figure3Rows} are called. */
export interface RowNames {
  difference: (unit: UnitInfo) => string;
  channels: (unit: UnitInfo, first: number, last: number) => string;
}

/**
 * For every unit, at each result's zoom: the mean difference of attention, largest branch minus smallest, then the largest
 * branch's attention as means of 16 successive channels.
 */
export function figure3Rows(units: readonly UnitInfo[], results: readonly Result[], names: RowNames): Table['rows'] {
  return units.flatMap((unit) => {
    const found = results.map((result) => unitResult(result, unit.name));
    const means = found.map((one) => (one ? groupMeans(branchAttention(unit, one, largestBranch(unit))) : []));
    return [
      { name: names.difference(unit), values: found.map((one) => one?.meanDifference ?? null) },
      ...(means[0] ?? []).map(({ first, last }, group) => ({
        name: names.channels(unit, first, last),
        values: means.map((groups) => groups[group]?.mean ?? null),
      })),
    ];
  });
}
