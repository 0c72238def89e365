/** All units over many photos: mean and standard deviation of the mean difference, one mark per zoom. */
import * as Plot from '@observablehq/plot';
import { colours, zoomStyle } from './style';

export interface SpreadMark {
  unit: string;
  /** Place among the zooms. */
  place: number;
  mean: number;
  deviation: number | null;
}

export interface SpreadChart {
  marks: readonly SpreadMark[];
  units: readonly { name: string; stage: string; unit: string }[];
  chosen: string;
  width: number;
  height: number;
  axis: string;
  stageLabel: (stage: string) => string;
}

/** Draws the chart; hue says which kernel leads on average, the fill which zoom. */
export function spreadChart({ marks, units, chosen, width, height, axis, stageLabel }: SpreadChart): SVGSVGElement | HTMLElement {
  const places = [...new Set(marks.map(({ place }) => place))].sort();
  const firsts = units.filter(({ stage }, index) => units[index - 1]?.stage !== stage);
  const ends = marks.flatMap(({ mean, deviation }) => [mean - (deviation ?? 0), mean + (deviation ?? 0)]);
  const domain = [Math.floor(Math.min(-0.04, ...ends) * 20) / 20, Math.ceil(Math.max(0.04, ...ends) * 20) / 20];
  const dots = (place: number, large: boolean) => {
    const colour = large ? 'large' : 'small';
    const { fill } = zoomStyle(place);
    return Plot.dot(
      marks.filter((mark) => mark.place === place && mark.mean >= 0 === large),
      {
        fx: 'unit',
        x: 'place',
        y: 'mean',
        r: width < 500 ? 2.6 : 4,
        symbol: large ? 'circle' : 'square',
        fill: fill === 'solid' ? colours[colour] : fill === 'hatched' ? `url(#hatch-${colour})` : 'var(--surface)',
        stroke: colours[colour],
        strokeWidth: 1.4,
      },
    );
  };
  return Plot.plot({
    width,
    height,
    marginLeft: 44,
    marginRight: 4,
    marginTop: 22,
    marginBottom: 58,
    fx: { domain: units.map(({ name }) => name), label: null, axis: null, paddingInner: 0.2, paddingOuter: 0.05 },
    x: { type: 'point', domain: places, axis: null, padding: 0.5 },
    y: { domain, label: axis, labelArrow: 'none', ticks: 5, tickFormat: (value: number) => value.toFixed(2).replace('-', '−') },
    marks: [
      Plot.frame({ fx: chosen, fill: colours.ink, fillOpacity: 0.08, insetBottom: -20, rx: 4 }),
      Plot.ruleY([0], { stroke: colours.ink, strokeOpacity: 0.6 }),
      Plot.ruleX(
        marks.filter(({ deviation }) => deviation !== null),
        {
          fx: 'unit',
          x: 'place',
          y1: ({ mean, deviation }: SpreadMark) => mean - (deviation ?? 0),
          y2: ({ mean, deviation }: SpreadMark) => mean + (deviation ?? 0),
          stroke: colours.ink,
          strokeOpacity: 0.7,
        },
      ),
      ...places.flatMap((place) => [dots(place, true), dots(place, false)]),
      Plot.text(units, { fx: 'name', text: 'unit', frameAnchor: 'bottom', lineAnchor: 'top', dy: 6, fill: colours.ink }),
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
