/** All units: mean difference of attention, grouped by unit, one bar per zoom of the paper. */
import * as Plot from '@observablehq/plot';
import type { Result } from 'sklens';
import { colours, zoomStyle } from './style';
import { overlay, scaleOf, type Drawn } from './svg';

export interface DepthBar {
  unit: string;
  /** Place in the sweep. */
  place: number;
  difference: number;
}

export interface DepthChart {
  bars: readonly DepthBar[];
  /** Bounds of the difference axis; where absent, those of the bars. */
  domain?: readonly [number, number];
  /** Units in order of depth, with their stage and their number in it. */
  units: readonly { name: string; stage: string; unit: string }[];
  chosen: string;
  width: number;
  height: number;
  axis: string;
  stageLabel: (stage: string) => string;
}

/** The bars of one result; units of one branch have none. */
export function barsOf({ units }: Result, place = 0): DepthBar[] {
  return units.flatMap(({ name, meanDifference }) => (meanDifference === null ? [] : [{ unit: name, place, difference: meanDifference }]));
}

/** Bounds for the difference axis: multiples of 0.05 around every bar and around zero. */
export function differenceDomain(bars: readonly DepthBar[]): [number, number] {
  const values = bars.map(({ difference }) => difference);
  const low = Math.floor(Math.min(-0.04, ...values) * 20 - 0.1) / 20;
  const high = Math.ceil(Math.max(0.04, ...values) * 20 + 0.1) / 20;
  return [Math.max(-1, low), Math.min(1, high)];
}

/** Draws the chart: hue says which kernel leads, the fill which zoom. */
export function depthChart({ bars, domain = differenceDomain(bars), units, chosen, width, height, axis, stageLabel }: DepthChart): Drawn {
  const places = [...new Set(bars.map(({ place }) => place))].sort();
  const firsts = units.filter(({ stage }, index) => units[index - 1]?.stage !== stage);
  const barsOf = (place: number, large: boolean) => {
    const colour = large ? 'large' : 'small';
    const { fill } = zoomStyle(place);
    return Plot.barY(
      bars.filter((bar) => bar.place === place && bar.difference >= 0 === large),
      {
        fx: 'unit',
        x: () => place,
        y: 'difference',
        fill: fill === 'solid' ? colours[colour] : fill === 'hatched' ? `url(#hatch-${colour})` : 'var(--surface)',
        stroke: colours[colour],
        strokeWidth: 1,
        insetLeft: 0.5,
        insetRight: 0.5,
      },
    );
  };
  return Plot.plot({
    width,
    height,
    marginLeft: 44,
    marginRight: 4,
    marginTop: 22,
    marginBottom: 62,
    fx: { domain: units.map(({ name }) => name), label: null, axis: null, paddingInner: 0.18, paddingOuter: 0.05 },
    x: { domain: places, axis: null, padding: 0.08 },
    y: { domain, label: axis, labelArrow: 'none', ticks: 5, tickFormat: (value: number) => value.toFixed(2).replace('-', '−') },
    marks: [
      Plot.frame({ fx: chosen, fill: colours.ink, fillOpacity: 0.08, insetTop: -6, insetBottom: -20, rx: 4 }),
      Plot.ruleY([0], { stroke: colours.ink, strokeOpacity: 0.6 }),
      ...places.flatMap((place) => [barsOf(place, true), barsOf(place, false)]),
      Plot.text(units, {
        fx: 'name',
        text: 'unit',
        frameAnchor: 'bottom',
        lineAnchor: 'top',
        dy: 6,
        fill: colours.ink,
      }),
      Plot.text(firsts, {
        fx: 'name',
        text: ({ stage }: { stage: string }) => stageLabel(stage),
        frameAnchor: 'bottom-left',
        textAnchor: 'start',
        lineAnchor: 'top',
        dy: 22,
        fill: colours.muted,
      }),
    ],
  });
}

/** Puts the present zoom into what {@link depthChart} drew, as a line across each unit's bars. */
export function markDepth(drawn: Drawn, present: readonly DepthBar[]): void {
  const [fx, y] = [scaleOf(drawn, 'fx'), scaleOf(drawn, 'y')];
  const lines = present.map(({ unit, difference }) => `M${fx.at(unit)},${y.at(difference)}h${fx.band}`);
  overlay(drawn, [{ d: lines.join(''), stroke: colours.ink, 'stroke-width': 3, 'stroke-linecap': 'round' }]);
}

/** The unit under a click on what {@link depthChart} drew. */
export function unitAt(event: MouseEvent, drawn: Drawn): string | undefined {
  const { at, band } = scaleOf(drawn, 'fx');
  const x = event.clientX - drawn.getBoundingClientRect().left;
  return (drawn.scale?.('fx')?.domain as string[]).find((name) => x >= at(name) && x <= at(name) + band);
}
