/** A receptive field over the photo, and fields against depth or zoom. */
import * as Plot from '@observablehq/plot';
import type { PixelBox, ReceptiveField } from 'sklens';
import type { Crop, Point } from '../lib/crop';
import { expectedBox, heat, MODES, type ChartRow, type Mode } from '../lib/field';
import { colours } from './style';
import { element } from './svg';

/** How much of the photo's light stays under the heat. */
const DIM = 0.45;

/** What lies under a heat map: a part of a photo. */
export interface Backdrop {
  image: CanvasImageSource;
  crop: Crop;
}

/** Draws the crop, darkened, with the heat map over it, on a square canvas; the mean of many photos has none. */
export function drawHeat(canvas: HTMLCanvasElement, backdrop: Backdrop | null, field: ReceptiveField): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { width, height } = canvas;
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#000';
  context.fillRect(0, 0, width, height);
  if (backdrop) {
    const { x, y, side } = backdrop.crop;
    context.globalAlpha = DIM;
    context.drawImage(backdrop.image, x, y, side, side, 0, 0, width, height);
    context.globalAlpha = 1;
  }
  const [rows, columns] = field.shape;
  const layer = new OffscreenCanvas(columns, rows);
  layer.getContext('2d')?.putImageData(new ImageData(heat(field.map), columns, rows), 0, 0);
  context.drawImage(layer, 0, 0, width, height);
}

/** How the lines over the photo look; the legend shows the same. */
export const LINES = {
  theoretical: { dash: '10 6', width: 2 },
  expected: { dash: '1 5', width: 2.5 },
  square: { dash: undefined, width: 2 },
} as const;

export interface FieldPicture {
  /** What {@link drawHeat} drew. */
  picture: string;
  field: ReceptiveField;
  /** As fractions of the picture. */
  place: Point;
  width: number;
  shareLabel: (share: number) => string;
}

/** {@link drawHeat} as the address of a picture with so many pixels a side. */
export function heatPicture(backdrop: Backdrop | null, field: ReceptiveField, side: number): string {
  const canvas = Object.assign(document.createElement('canvas'), { width: side, height: side });
  drawHeat(canvas, backdrop, field);
  return canvas.toDataURL('image/jpeg', 0.92);
}

/** Several fields side by side. */
export interface FieldComparison {
  /** `picture` is what {@link heatPicture} gave, `note` stands below it. */
  fields: readonly { picture: string; field: ReceptiveField; name: string; note: string }[];
  /** Which square is drawn. */
  share: number;
  width: number;
}

/** Between two pictures, and the lines of text above and below, in pixels. */
const GAP = 12;
const LINE = 17;

/** Side of a picture and height of {@link fieldComparison}'s drawing of so many fields. */
export function comparisonLayout(width: number, count: number): { side: number; height: number } {
  const side = Math.max(1, (width - (count - 1) * GAP) / count);
  return { side, height: Math.ceil(side + 4 * LINE) };
}

/** Pictures in a row, each with its name above, a square over it and a note below. */
export function fieldComparison({ fields, share, width }: FieldComparison): SVGSVGElement {
  const { side, height } = comparisonLayout(width, fields.length);
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'font-size': 13 });
  const top = 2 * LINE + 2;
  const write = (text: string, x: number, y: number, weight = 400) => {
    const line = element('text', { x, y, fill: colours.ink, 'font-weight': weight });
    line.textContent = text;
    svg.append(line);
  };
  fields.forEach(({ picture, field, name, note }, place) => {
    const x = place * (side + GAP);
    const lines = (text: string) => wrapped(text, Math.floor(side / 7.2));
    lines(name).forEach((line, index, { length }) => write(line, x, top - 6 - (length - 1 - index) * LINE, 700));
    svg.append(element('image', { href: picture, x, y: top, width: side, height: side }));
    const square = field.squares.find((square) => square.share === share)?.bounds;
    const unit = side / field.shape[1];
    if (square) {
      const shape = { x: x + square.x0 * unit, y: top + square.y0 * unit, width: (square.x1 - square.x0) * unit, height: (square.y1 - square.y0) * unit };
      for (const [stroke, line] of [['#000', 4.5], ['#fff', 2]] as const) svg.append(element('rect', { ...shape, fill: 'none', stroke, 'stroke-width': line }));
    }
    lines(note).forEach((line, index) => write(line, x, top + side + LINE * (index + 1)));
  });
  return svg;
}

/** A text in lines of about so many letters, at most two. */
function wrapped(text: string, letters: number): string[] {
  if (text.length <= letters) return [text];
  const space = text.lastIndexOf(' ', letters);
  return space > 0 ? [text.slice(0, space), text.slice(space + 1)] : [text];
}

/** The picture with squares, theoretical and expected box; lines are white on black, whatever the theme. */
export function fieldPicture({ picture, field, place, width, shareLabel }: FieldPicture): SVGSVGElement {
  const svg = element('svg', { viewBox: `0 0 ${width} ${width}`, width, height: width });
  svg.append(element('image', { href: picture, width, height: width }));
  const unit = width / field.shape[1];
  const outline = ({ x0, y0, x1, y1 }: PixelBox, { dash, width: line }: { dash: string | undefined; width: number }) => {
    const shape = { x: x0 * unit, y: y0 * unit, width: (x1 - x0) * unit, height: (y1 - y0) * unit, fill: 'none' };
    const dashes = dash ? { 'stroke-dasharray': dash, 'stroke-linecap': 'round' } : {};
    svg.append(
      element('rect', { ...shape, ...dashes, stroke: '#000', 'stroke-opacity': 0.7, 'stroke-width': line + 2.5 }),
      element('rect', { ...shape, ...dashes, stroke: '#fff', 'stroke-width': line }),
    );
  };
  outline(field.theoretical, LINES.theoretical);
  outline(expectedBox(field), LINES.expected);
  for (const [place, { bounds, share }] of field.squares.entries()) {
    outline(bounds, LINES.square);
    // Inside the square, where the picture cannot cut it, each in a corner of its own, since squares may be nearly the same.
    const [left, low] = [place % 2 === 1, place > 0];
    const text = element('text', {
      x: left ? bounds.x0 * unit + 5 : bounds.x1 * unit - 5,
      y: low ? bounds.y1 * unit - 6 : bounds.y0 * unit + 15,
      'text-anchor': left ? 'start' : 'end',
      'font-size': 13,
      'font-weight': 700,
      fill: '#fff',
      stroke: '#000',
      'stroke-width': 3,
      'paint-order': 'stroke',
    });
    text.textContent = shareLabel(share);
    svg.append(text);
  }
  const [x, y] = [place[0] * width, place[1] * width];
  for (const [stroke, line] of [['#000', 4.5], ['#fff', 2]] as const) {
    svg.append(element('path', { d: `M${x - 9} ${y}h18M${x} ${y - 9}v18`, stroke, 'stroke-width': line }));
  }
  return svg;
}

/** Colour and symbol of a mode in charts and their legend. */
export const MODE_STYLE: Record<Mode, { colour: string; symbol: 'triangle' | 'circle' | 'square' }> = {
  smallest: { colour: colours.small, symbol: 'triangle' },
  network: { colour: colours.ink, symbol: 'circle' },
  largest: { colour: colours.large, symbol: 'square' },
};

export interface FieldChart {
  rows: readonly ChartRow[];
  /** The x that the page stands at. */
  now: string;
  /** Side of the network's input. */
  input: number;
  width: number;
  height: number;
  xLabel: string;
  yLabel: string;
  inputLabel: string;
}

/** The largest width in the chart: room for what was measured, and for theory as long as that does not dwarf it. */
export function fieldTop(rows: readonly ChartRow[], input: number): number {
  const measured = Math.max(input, ...rows.flatMap(({ sides }) => MODES.map((mode) => sides[mode] ?? 0)));
  const theory = Math.max(...rows.map(({ largest }) => largest));
  return 1.05 * Math.max(measured, theory <= 2 * measured ? theory : 1.2 * measured);
}

/** What theory allows as a band, what attention expects as dashes, what holds 90 % as a line with symbols for each mode. */
export function fieldChart({ rows, now, input, width, height, xLabel, yLabel, inputLabel }: FieldChart): SVGSVGElement | HTMLElement {
  const names = rows.map(({ x }) => x);
  const points = MODES.flatMap((mode) => rows.flatMap(({ x, sides }) => (sides[mode] === null ? [] : [{ x, mode, side: sides[mode] }])));
  const top = fieldTop(rows, input);
  const crowded = width / names.length < 46;
  return Plot.plot({
    width,
    height,
    marginLeft: 46,
    marginRight: 14,
    marginTop: 26,
    marginBottom: crowded ? 66 : 44,
    x: { type: 'point', domain: names, label: xLabel, labelArrow: 'none', padding: 0.3, tickRotate: crowded ? -60 : 0 },
    y: { domain: [0, top], label: yLabel, labelArrow: 'none', ticks: 5 },
    marks: [
      Plot.areaY(rows, { x: 'x', y1: 'smallest', y2: 'largest', fill: colours.ink, fillOpacity: 0.1, clip: true }),
      Plot.ruleY([0], { stroke: colours.rule }),
      Plot.ruleX([now], { stroke: colours.ink, strokeDasharray: '2 2', strokeOpacity: 0.8 }),
      Plot.ruleY([input], { stroke: colours.muted, strokeDasharray: '8 4' }),
      Plot.text([inputLabel], { y: input, frameAnchor: 'right', textAnchor: 'end', dx: -4, dy: -8, fill: colours.muted }),
      Plot.lineY(rows, { x: 'x', y: 'expected', stroke: colours.ink, strokeWidth: 2, strokeDasharray: '1 4', strokeLinecap: 'round', clip: true }),
      ...MODES.flatMap((mode) => {
        const own = points.filter((point) => point.mode === mode);
        const { colour, symbol } = MODE_STYLE[mode];
        return [
          Plot.lineY(own, { x: 'x', y: 'side', stroke: colour, strokeWidth: mode === 'network' ? 2 : 1.25 }),
          Plot.dot(own, { x: 'x', y: 'side', symbol, r: mode === 'network' ? 4.5 : 4, fill: colour }),
        ];
      }),
    ],
  });
}
