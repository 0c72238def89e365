/** All units as small multiples: mean difference of attention against what varies, one small chart per unit. */
import * as Plot from '@observablehq/plot';
import { stages } from '../lib/attention';
import type { TrendPoint } from '../lib/trend';
import { colours } from './style';
import type { UnitInfo } from 'sklens';

export interface TrendChart {
  points: readonly TrendPoint[];
  units: readonly UnitInfo[];
  chosen: string;
  /** Where the page stands; marked in every small chart. */
  now: number;
  width: number;
  height: number;
  axis: string;
  xLabel: string;
}

/** Columns of small charts that fit, and the rows that they need. */
export function trendGrid(units: number, width: number): { columns: number; rows: number } {
  const columns = Math.max(1, Math.min(units, width < 500 ? 4 : 8));
  return { columns, rows: Math.ceil(units / columns) };
}

/** Draws the chart; the area towards the large kernel has its colour, that towards the small one the other. */
export function trendChart({ points, units, chosen, now, width, height, axis, xLabel }: TrendChart): SVGSVGElement | HTMLElement {
  const names = stages(units).flatMap(({ units }) => units.map(({ name }) => name));
  const { columns } = trendGrid(names.length, width);
  const cell = (name: string) => ({ fx: names.indexOf(name) % columns, fy: Math.floor(names.indexOf(name) / columns) });
  const at = { fx: ({ unit }: TrendPoint) => cell(unit).fx, fy: ({ unit }: TrendPoint) => cell(unit).fy };
  const xs = points.map(({ x }) => x);
  const limit = Math.max(0.05, ...points.map(({ difference }) => Math.abs(difference))) * 1.1;
  const line = { ...at, x: 'x', z: 'unit' } as const;
  const part = (keep: (difference: number) => number) => (point: TrendPoint) => keep(point.difference);
  return Plot.plot({
    width,
    height,
    marginLeft: 40,
    marginRight: 6,
    marginTop: 40,
    marginBottom: 38,
    fx: { axis: null, padding: 0.12, domain: [...Array(columns).keys()] },
    fy: { axis: null, padding: 0.24 },
    x: { domain: [Math.min(...xs), Math.max(...xs)], ticks: 2, label: xLabel, labelArrow: 'none', tickFormat: (value: number) => String(value) },
    y: { domain: [-limit, limit], ticks: 3, label: null, tickFormat: (value: number) => value.toFixed(1).replace('-', '−') },
    marks: [
      Plot.frame({ ...cell(chosen), fill: colours.ink, fillOpacity: 0.08, inset: -4, insetTop: -16, rx: 3 }),
      Plot.frame({ stroke: colours.rule }),
      Plot.text([axis], { fx: 0, fy: 0, frameAnchor: 'top-left', textAnchor: 'start', dx: -34, dy: -32, fill: colours.ink }),
      Plot.areaY(points, { ...line, y1: 0, y2: part((value) => Math.max(value, 0)), fill: colours.large, fillOpacity: 0.3 }),
      Plot.areaY(points, { ...line, y1: 0, y2: part((value) => Math.min(value, 0)), fill: colours.small, fillOpacity: 0.3 }),
      Plot.ruleY([0], { stroke: colours.muted }),
      Plot.ruleX([now], { stroke: colours.ink, strokeDasharray: '2 2', strokeOpacity: 0.8 }),
      Plot.lineY(points, { ...line, y: 'difference', stroke: colours.ink, strokeWidth: 2 }),
      Plot.text(names, {
        fx: (name: string) => cell(name).fx,
        fy: (name: string) => cell(name).fy,
        text: (name: string) => name,
        frameAnchor: 'top-left',
        dy: -14,
        fill: colours.ink,
      }),
    ],
  });
}
