/** One unit: attention of the largest branch across channels. */
import * as Plot from '@observablehq/plot';
import type { Result, UnitInfo } from 'sklens';
import { branchAttention, groupMeans, largestBranch, unitResult, type ChannelGroup } from '../lib/attention';
import { colours, zoomStyle } from './style';

export interface ChannelSeries {
  groups: readonly ChannelGroup[];
  /** Place in the sweep; null: the present zoom. */
  place: number | null;
}

export interface ChannelChart {
  series: readonly ChannelSeries[];
  channels: number;
  /** Attention that every branch has where none is preferred, 1 / M. */
  even: number;
  width: number;
  height: number;
  axis: string;
  channelLabel: string;
}

/** A unit's attention of its largest branch as means of `size` channels; nothing of a result without the unit. */
export function channelSeries(unit: UnitInfo, result: Result, place: number | null, size = 16): ChannelSeries[] {
  const found = unitResult(result, unit.name);
  return found ? [{ place, groups: groupMeans(branchAttention(unit, found, largestBranch(unit)), size) }] : [];
}

/** Bounds for the attention axis: multiples of 0.1 with room around every value, `even` always inside. */
export function attentionDomain(series: readonly ChannelSeries[], even: number): [number, number] {
  const values = series.flatMap(({ groups }) => groups.map(({ mean }) => mean));
  const low = Math.min(even - 0.05, ...values);
  const high = Math.max(even + 0.05, ...values);
  return [Math.max(0, Math.floor(low * 10 - 0.2) / 10), Math.min(1, Math.ceil(high * 10 + 0.2) / 10)];
}

/** Draws the chart; what lies above `even` is tinted for the large kernel, what lies below for the others. */
export function channelChart({ series, channels, even, width, height, axis, channelLabel }: ChannelChart): SVGSVGElement | HTMLElement {
  const [low, high] = attentionDomain(series, even);
  const middle = ({ first, last }: ChannelGroup) => (first + last) / 2;
  const present = series.find(({ place }) => place === null)?.groups ?? [];
  const dense = present.length > 40;
  const references = series.filter(({ place }) => place !== null);
  const dots = (large: boolean) =>
    Plot.dot(
      present.filter(({ mean }) => mean >= even === large),
      {
        x: middle,
        y: 'mean',
        symbol: large ? 'circle' : 'square',
        r: dense ? 2 : 4.5,
        fill: large ? colours.large : colours.small,
        stroke: 'var(--surface)',
        strokeWidth: dense ? 0 : 1.5,
      },
    );
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
      ...references.map(({ groups, place }) =>
        Plot.line(groups, {
          x: middle,
          y: 'mean',
          stroke: colours.ink,
          strokeOpacity: dense ? 0.45 : 0.7,
          strokeWidth: dense ? 1 : 1.6,
          strokeLinecap: 'round',
          ...dashes(place ?? 0),
        }),
      ),
      Plot.line(present, { x: middle, y: 'mean', stroke: colours.ink, strokeWidth: dense ? 1.4 : 3 }),
      dots(true),
      dots(false),
    ],
  });
}

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
