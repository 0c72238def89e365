/** The roofline: what each layer reaches over how much it computes per byte, both axes logarithmic. */
import * as Plot from '@observablehq/plot';
import type { Roofline } from 'sklens';
import { roofAt, type Reached } from '../lib/roofline';
import { colours } from './style';

export interface RooflineChart {
  layers: readonly Reached[];
  roofline: Roofline;
  width: number;
  height: number;
  xLabel: string;
  yLabel: string;
}

/** Layers without multiplications have no place on it. */
export function rooflineChart({ layers, roofline, width, height, xLabel, yLabel }: RooflineChart): SVGSVGElement | HTMLElement {
  const computing = layers.filter(({ intensity }) => intensity > 0);
  const ridge = roofline.gflops / roofline.gigabytes;
  const reach = [ridge, ...computing.map(({ intensity }) => intensity)];
  const ends = [Math.min(...reach) / 2, Math.max(...reach) * 2];
  const roof = [ends[0] as number, ridge, ends[1] as number].map((x) => ({ x, y: roofAt(roofline, x) }));
  const heights = [...roof.map(({ y }) => y), ...computing.map(({ gflops }) => gflops)];
  return Plot.plot({
    width,
    height,
    marginLeft: 50,
    marginRight: 14,
    marginTop: 26,
    marginBottom: 44,
    x: { type: 'log', domain: ends, label: xLabel, labelArrow: 'none', ticks: 4, tickFormat: '~g' },
    y: { type: 'log', domain: [Math.min(...heights) / 2, Math.max(...heights) * 1.5], label: yLabel, labelArrow: 'none', ticks: 4, tickFormat: '~g' },
    marks: [
      Plot.line(roof, { x: 'x', y: 'y', stroke: colours.ink, strokeWidth: 2 }),
      Plot.dot(computing, { x: 'intensity', y: 'gflops', r: 3.5, fill: colours.large, fillOpacity: 0.75 }),
    ],
  });
}
