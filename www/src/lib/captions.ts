/** Sentences that say what a chart shows, from the chart's numbers. */
import type { ReceptiveField, Result, UnitInfo } from 'sklens';
import { t } from '../strings';
import type { Point } from './crop';
import type { ChartRow } from './field';
import { branchAttention, kernelName, largestBranch, mean, unitResult } from './attention';

/** Below this a difference would print as 0.000. */
const VISIBLE = 0.0005;

/** The chart of one unit: where it stands now, and how the first and last of `sweep` differ. */
export function channelsCaption(unit: UnitInfo, current: Result, sweep: readonly Result[]): string {
  const branch = largestBranch(unit);
  const large = kernelName(unit, branch);
  const values = (result: Result | undefined) => {
    const found = result && unitResult(result, unit.name);
    return found && branchAttention(unit, found, branch);
  };
  const now = values(current);
  if (!now) return '';
  const sentences = [
    t.captions.channelsNow(
      unit.name,
      current.scale,
      unit.channels,
      large,
      mean(now),
      now.reduce((low, value) => Math.min(low, value), 1),
      now.reduce((high, value) => Math.max(high, value), 0),
    ),
  ];
  const from = values(sweep[0]);
  const to = values(sweep.at(-1));
  const zooms = ends(sweep);
  if (from && to && sweep.length > 1) {
    const change = mean(to) - mean(from);
    const turned = from.filter((value, channel) => (to[channel] ?? value) - value > 0 === change > 0 && to[channel] !== value);
    if (Math.abs(change) < VISIBLE) sentences.push(t.captions.channelsSame(zooms, mean(to)));
    else {
      const { channelsRise, channelsFall } = t.captions;
      const moves = change > 0 ? channelsRise : channelsFall;
      sentences.push(moves(zooms, large, mean(from), mean(to), turned.length, unit.channels));
    }
  }
  return t.sentences(sentences);
}

/** The chart of all units: of those that choose, how many move, which most, and how many lean to the large kernel now. */
export function depthCaption(units: readonly UnitInfo[], current: Result, sweep: readonly Result[]): string {
  const choosing = units.filter(({ branches }) => branches.length > 1);
  const first = choosing[0];
  if (!first) return '';
  const large = kernelName(first, largestBranch(first));
  const difference = (result: Result | undefined, name: string) =>
    (result && unitResult(result, name)?.meanDifference) ?? undefined;
  const sentences: string[] = [];
  if (sweep.length > 1) {
    const changes = choosing.flatMap(({ name }) => {
      const from = difference(sweep[0], name);
      const to = difference(sweep.at(-1), name);
      return from === undefined || to === undefined ? [] : [{ name, change: to - from }];
    });
    const most = changes.reduce((best, next) => (Math.abs(next.change) > Math.abs(best?.change ?? 0) ? next : best), changes[0]);
    sentences.push(t.captions.depthMove(ends(sweep), large, changes.filter(({ change }) => change > 0).length, changes.length));
    if (most && Math.abs(most.change) >= VISIBLE) sentences.push(t.captions.depthMost(most.name, most.change));
  }
  const leaning = choosing.filter(({ name }) => (difference(current, name) ?? 0) > 0).length;
  sentences.push(t.captions.depthNow(current.scale, large, leaning, choosing.length));
  return t.sentences(sentences);
}

/** What the visitor's own attention changes: the best class, and the field that the last unit expects to see. */
export function whatIfCaption(before: Result, after: Result, units: number): string {
  const [was, is] = [before.top[0], after.top[0]];
  const [from, to] = [before.units.at(-1), after.units.at(-1)];
  if (!was || !is || !from || !to) return '';
  if (units === 0) return t.captions.whatIfNothing;
  const answer =
    was.index === is.index
      ? t.captions.whatIfSame(is.label, was.probability, is.probability)
      : t.captions.whatIfOther(was.label, was.probability, is.label, is.probability);
  const field = t.captions.whatIfField(to.name, from.receptiveField.expected, to.receptiveField.expected);
  return t.sentences([t.captions.whatIfUnits(units), answer, field]);
}

/** A receptive field at a place, in fractions of what the network sees. */
export function fieldCaption(field: ReceptiveField, zoom: number, [x, y]: Point, small: string, large: string): string {
  const { unit, sizes, squares, shape } = field;
  const [half, most, nearly] = squares.map(({ side }) => side);
  const found =
    half === undefined || most === undefined || nearly === undefined
      ? t.captions.fieldNothing(unit)
      : t.captions.field(unit, zoom, x, y, shape[1], half, most, nearly);
  return t.sentences([found, t.captions.fieldTheory(large, sizes.largest, small, sizes.smallest, sizes.expected)]);
}

/** Fields against zoom or depth: the first and the last, and what forced attention would change at the last. */
export function fieldChartCaption(rows: readonly ChartRow[], small: string, large: string): string {
  const seen = rows.filter(({ sides }) => sides.network !== null);
  const [first, last] = [seen[0], seen.at(-1)];
  if (!first || !last) return '';
  const { smallest, network, largest } = last.sides;
  const moved = t.captions.fieldAgainst(first.x, last.x, first.sides.network ?? 0, network ?? 0);
  if (smallest === null || largest === null) return moved;
  return t.sentences([moved, t.captions.fieldForced(last.x, small, smallest, large, largest)]);
}

function ends(sweep: readonly Result[]): [number, number] {
  return [sweep[0]?.scale ?? 1, sweep.at(-1)?.scale ?? 1];
}
