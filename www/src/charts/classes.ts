/** One unit, class by class: the mean difference at two zooms, joined by a line. */
import * as Plot from '@observablehq/plot';
import { colours, zoomStyle } from './style';

export interface ClassMark {
  name: string;
  from: number;
  to: number;
}

export interface ClassChart {
  /** In the order in which they are drawn. */
  marks: readonly ClassMark[];
  width: number;
  axis: string;
  /** Title of the axis of classes where there are too many to name. */
  classesLabel: string;
}

/** More classes than this have numbers in place of names. */
const NAMED = 40;

/** The height that the chart needs. */
export function classesHeight(classes: number): number {
  return classes > NAMED ? 420 : 60 + 20 * classes;
}

/** Draws the chart: hollow squares at the first zoom, filled circles at the second, as everywhere on the page. */
export function classesChart({ marks, width, axis, classesLabel }: ClassChart): SVGSVGElement | HTMLElement {
  const named = marks.length <= NAMED;
  const place = new Map(marks.map(({ name }, index) => [name, index + 1]));
  const y = named ? 'name' : ({ name }: ClassMark) => place.get(name);
  const least = Math.min(0, ...marks.flatMap(({ from, to }) => [from, to]));
  const most = Math.max(0, ...marks.flatMap(({ from, to }) => [from, to]));
  const room = 0.05 * (most - least) + 0.005;
  const filled = zoomStyle(1).fill === 'hatched' ? 'url(#hatch-ink)' : colours.ink;
  return Plot.plot({
    width,
    height: classesHeight(marks.length),
    marginLeft: named ? Math.min(width * 0.38, 24 + 7 * Math.max(4, ...marks.map(({ name }) => name.length))) : 46,
    marginRight: 10,
    marginTop: 34,
    marginBottom: 10,
    x: { domain: [least - room, most + room], axis: 'top', label: axis, labelArrow: 'none', ticks: 5, tickFormat: (value: number) => value.toFixed(2).replace('-', '−') },
    y: named
      ? { type: 'point', domain: marks.map(({ name }) => name), label: null, padding: 0.7, tickSize: 0, tickFormat: short }
      : { domain: [0, marks.length + 1], reverse: true, label: classesLabel, labelArrow: 'none' },
    marks: [
      Plot.ruleX([0], { stroke: colours.muted }),
      Plot.ruleY(marks, { y, x1: 'from', x2: 'to', stroke: colours.ink, strokeOpacity: 0.6, strokeWidth: named ? 1.6 : 0.8 }),
      Plot.dot(marks, { x: 'from', y, symbol: 'square', r: named ? 3.6 : 1.8, fill: 'var(--surface)', stroke: colours.ink }),
      Plot.dot(marks, { x: 'to', y, r: named ? 4.2 : 2.2, fill: filled, stroke: colours.ink }),
    ],
  });
}

function short(name: string): string {
  return name.length > 22 ? `${name.slice(0, 21)}…` : name;
}
