/** All units as small multiples: mean difference of attention against what varies, one small chart per unit. */
import * as Plot from '@observablehq/plot';
import { stages } from '../lib/attention';
import type { TrendPoint } from '../lib/trend';
import { colours } from './style';
import { overlay, scaleOf, type Drawn } from './svg';
import type { UnitInfo } from 'sklens';

export interface TrendChart {
  points: readonly TrendPoint[];
  units: readonly UnitInfo[];
  chosen: string;
  width: number;
  height: number;
  axis: string;
  xLabel: string;
}

/** Left of the small charts, in pixels. */
const MARGIN = 40;

/** Columns of small charts that fit, and the rows that they need. */
export function trendGrid(units: number, width: number): { columns: number; rows: number } {
  const columns = Math.max(1, Math.min(units, width < 500 ? 4 : 8));
  return { columns, rows: Math.ceil(units / columns) };
}

/** Column and row of every unit's small chart, in order of depth. */
function cells(units: readonly UnitInfo[], width: number): Map<string, readonly [column: number, row: number]> {
  const { columns } = trendGrid(units.length, width);
  const names = stages(units).flatMap(({ units }) => units.map(({ name }) => name));
  return new Map(names.map((name, place) => [name, [place % columns, Math.floor(place / columns)]]));
}

/** Draws the chart; the area towards the large kernel has its colour, that towards the small one the other. */
export function trendChart({ points, units, chosen, width, height, axis, xLabel }: TrendChart): Drawn {
  const places = cells(units, width);
  const cell = (name: string) => {
    const [fx, fy] = places.get(name) ?? [0, 0];
    return { fx, fy };
  };
  const at = { fx: ({ unit }: TrendPoint) => cell(unit).fx, fy: ({ unit }: TrendPoint) => cell(unit).fy };
  const xs = points.map(({ x }) => x);
  const limit = Math.max(0.05, ...points.map(({ difference }) => Math.abs(difference))) * 1.1;
  const line = { ...at, x: 'x', z: 'unit' } as const;
  const part = (keep: (difference: number) => number) => (point: TrendPoint) => keep(point.difference);
  return Plot.plot({
    width,
    height,
    marginLeft: MARGIN,
    marginRight: 6,
    marginTop: 40,
    marginBottom: 38,
    fx: { axis: null, padding: 0.12, domain: [...Array(trendGrid(units.length, width).columns).keys()] },
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
      Plot.lineY(points, { ...line, y: 'difference', stroke: colours.ink, strokeWidth: 2 }),
      Plot.text([...places.keys()], {
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

/** Marks where the page stands in every small chart of what {@link trendChart} drew with the same units and width. */
export function markTrend(drawn: Drawn, { units, width, now }: Pick<TrendChart, 'units' | 'width'> & { now: number }): void {
  const [fx, fy, x] = [scaleOf(drawn, 'fx'), scaleOf(drawn, 'fy'), scaleOf(drawn, 'x')];
  const lines = [...cells(units, width).values()].map(([column, row]) => `M${fx.at(column) - MARGIN + x.at(now)},${fy.at(row)}v${fy.band}`);
  overlay(drawn, [{ d: lines.join(''), stroke: colours.ink, 'stroke-dasharray': '2 2', 'stroke-opacity': 0.8 }]);
}
