/** One unit: attention of the largest branch across channels. */
import * as Plot from '@observablehq/plot';
import type { Result, UnitInfo } from 'sklens';
import { branchAttention, groupMeans, largestBranch, unitResult, type ChannelGroup } from '../lib/attention';
import { colours, zoomStyle } from './style';
import { circle, overlay, polyline, scaleOf, square, type Drawn } from './svg';

export interface ChannelSeries {
  groups: readonly ChannelGroup[];
  /** Place in the sweep. */
  place: number;
}

export interface ChannelChart {
  series: readonly ChannelSeries[];
  /** Bounds of the attention axis; where absent, those of the series. */
  domain?: readonly [number, number];
  channels: number;
  /** Attention that every branch has where none is preferred, 1 / M. */
  even: number;
  width: number;
  height: number;
  axis: string;
  channelLabel: string;
}

/** A unit's attention of its largest branch as means of `size` channels; nothing of a result without the unit. */
export function channelGroups(unit: UnitInfo, result: Result, size = 16): ChannelGroup[] {
  const found = unitResult(result, unit.name);
  return found ? groupMeans(branchAttention(unit, found, largestBranch(unit)), size) : [];
}

/** {@link channelGroups} of every result of a sweep. */
export function channelSeries(unit: UnitInfo, sweep: readonly Result[], size?: number): ChannelSeries[] {
  return sweep.map((result, place) => ({ place, groups: channelGroups(unit, result, size) }));
}

/** Bounds for the attention axis: multiples of 0.1 with room around every value, `even` always inside. */
export function attentionDomain(groups: readonly ChannelGroup[], even: number): [number, number] {
  const values = groups.map(({ mean }) => mean);
  const low = Math.min(even - 0.05, ...values);
  const high = Math.max(even + 0.05, ...values);
  return [Math.max(0, Math.floor(low * 10 - 0.2) / 10), Math.min(1, Math.ceil(high * 10 + 0.2) / 10)];
}

/** Draws all but the present zoom; what lies above `even` is tinted for the large kernel, what lies below for the others. */
export function channelChart({ series, channels, even, width, height, axis, channelLabel, ...given }: ChannelChart): Drawn {
  const dense = series.some(({ groups }) => isDense(groups));
  const [low, high] = given.domain ?? attentionDomain(series.flatMap(({ groups }) => groups), even);
  return Plot.plot({
    width,
    height,
    marginLeft: 40,
    marginRight: 8,
    marginTop: 22,
    marginBottom: 46,
    x: { domain: [0.5, channels + 0.5] },
    y: { domain: [low, high], label: axis, labelArrow: 'none', ticks: 5, tickFormat: '.2f' },
    marks: [
      Plot.rect([0], { x1: 0.5, x2: channels + 0.5, y1: even, y2: high, fill: colours.largeTint }),
      Plot.rect([0], { x1: 0.5, x2: channels + 0.5, y1: low, y2: even, fill: colours.smallTint }),
      Plot.ruleY([even], { stroke: colours.muted }),
      Plot.axisX({ ticks: ticks(channels, width), tickFormat: 'd', label: channelLabel, labelAnchor: 'left', labelArrow: 'none' }),
      ...series.map(({ groups, place }) =>
        Plot.line(groups, {
          x: middle,
          y: 'mean',
          stroke: colours.ink,
          strokeOpacity: dense ? 0.45 : 0.7,
          strokeWidth: dense ? 1 : 1.6,
          strokeLinecap: 'round',
          ...dashes(place),
        }),
      ),
    ],
  });
}

/** Puts the present zoom into what {@link channelChart} drew: a line with circles above `even` and squares below. */
export function markChannels(drawn: Drawn, groups: readonly ChannelGroup[], even: number): void {
  const [x, y] = [scaleOf(drawn, 'x'), scaleOf(drawn, 'y')];
  const dense = isDense(groups);
  const radius = dense ? 2 : 4.5;
  const points = groups.map((group) => ({ large: group.mean >= even, at: [x.at(middle(group)), y.at(group.mean)] as const }));
  const symbols = (large: boolean) => points.filter((point) => point.large === large).map(({ at }) => (large ? circle : square)(at, radius));
  const outline = dense ? {} : { stroke: 'var(--surface)', 'stroke-width': 1.5 };
  overlay(drawn, [
    { d: polyline(points.map(({ at }) => at)), fill: 'none', stroke: colours.ink, 'stroke-width': dense ? 1.4 : 3 },
    { d: symbols(true).join(''), fill: colours.large, ...outline },
    { d: symbols(false).join(''), fill: colours.small, ...outline },
  ]);
}

const middle = ({ first, last }: ChannelGroup): number => (first + last) / 2;
const isDense = (groups: readonly ChannelGroup[]): boolean => groups.length > 40;

function dashes(place: number): { strokeDasharray?: string } {
  const { dash } = zoomStyle(place);
  return dash ? { strokeDasharray: dash } : {};
}

function ticks(channels: number, width: number): number[] {
  const step = [16, 32, 64, 128, 256].find((size) => (channels / size) * 44 <= width) ?? 512;
  const found = [1];
  for (let channel = step; channel <= channels; channel += step) found.push(channel);
  return found;
}
