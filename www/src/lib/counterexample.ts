/** Whether attention follows the size of what a photo shows: the paper's claim, tried on one photo. */
import type { Result } from 'sklens';

/** The zooms compared, at which the object is shown once and twice as large. */
export const COMPARED = [1, 2] as const;

/** What enlarging the object does to attention. */
export interface Following {
  /** Change of the mean difference of attention, largest branch minus smallest, averaged over all units. */
  change: number;
  /** Units that move towards the largest kernel. */
  rising: number;
  units: number;
}

/** From the results at {@link COMPARED}; null where there is one missing, or no unit with two branches. */
export function followingOf(results: readonly Result[]): Following | null {
  const [small, large] = COMPARED.map((zoom) => results.find(({ scale }) => scale === zoom));
  const changes = (small?.units ?? []).flatMap(({ name, meanDifference }) => {
    const other = large?.units.find((unit) => unit.name === name)?.meanDifference;
    return meanDifference === null || other == null ? [] : [other - meanDifference];
  });
  if (changes.length === 0) return null;
  const sum = changes.reduce((total, change) => total + change, 0);
  return { change: sum / changes.length, rising: changes.filter((change) => change > 0).length, units: changes.length };
}

/** Whether the object grows, and yet neither the mean nor most units turn to the largest kernel. */
export function isCounterexample({ change, rising, units }: Following): boolean {
  return change < 0 && rising * 2 <= units;
}
