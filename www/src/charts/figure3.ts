/** Figure 3 of the paper as one drawing: three zooms of a photo, one unit across channels, all units as bars. */
import { channelChart, type ChannelChart } from './channels';
import { depthChart, type DepthChart } from './depth';
import { colours, zoomStyle } from './style';
import { element } from './svg';

export interface Figure3 {
  /** Addresses and names of the crops, in the order of the zooms. */
  pictures: readonly { href: string; label: string }[];
  channels: Omit<ChannelChart, 'width' | 'height'>;
  bars: Omit<DepthChart, 'width' | 'height'>;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Space between the parts, in pixels. */
const GAP = 16;
const LABEL = 34;
const CHANNELS = 230;
/** Below this width the parts stand one below the other. */
const WIDE = 640;

/** Where the parts lie in a drawing of that width; as in the paper, the bars are on the right where there is room. */
export function figure3Layout(width: number, pictures = 3): { side: number; channels: Box; bars: Box; height: number } {
  const wide = width >= WIDE;
  const left = wide ? Math.round(width * 0.46) : width;
  const side = (left - (pictures - 1) * GAP / 2) / pictures;
  const channels = { x: 0, y: side + LABEL, width: left, height: CHANNELS };
  const below = channels.y + channels.height;
  const bars = wide
    ? { x: left + GAP, y: 0, width: width - left - GAP, height: below }
    : { x: 0, y: below + GAP, width, height: CHANNELS + 30 };
  return { side, channels, bars, height: Math.ceil(bars.y + bars.height) };
}

/** Draws the figure. */
export function figure3({ pictures, channels, bars }: Figure3, width: number): SVGSVGElement {
  const layout = figure3Layout(width, pictures.length);
  const { side, height } = layout;
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'font-size': 12 });
  pictures.forEach(({ href, label }, place) => {
    const x = place * (side + GAP / 2);
    svg.append(element('image', { href, x, y: 0, width: side, height: side }), ...legend(label, place, x, side + 20));
  });
  svg.append(
    placed(channelChart({ ...channels, ...layout.channels }), layout.channels),
    placed(depthChart({ ...bars, ...layout.bars }), layout.bars),
  );
  return svg;
}

/** A zoom's line, its bar and its name. */
function legend(label: string, place: number, x: number, y: number): SVGElement[] {
  const { dash, fill } = zoomStyle(place);
  const stroke = colours.ink;
  const fills = { solid: colours.ink, hatched: 'url(#hatch-ink)', hollow: 'none' };
  const text = element('text', { x: x + 44, y, fill: colours.ink });
  text.textContent = label;
  return [
    element('line', { x1: x, x2: x + 22, y1: y - 4, y2: y - 4, stroke, 'stroke-width': 1.8, ...(dash ? { 'stroke-dasharray': dash } : {}) }),
    element('rect', { x: x + 28, y: y - 9.5, width: 10, height: 11, stroke, fill: fills[fill] }),
    text,
  ];
}

function placed(chart: Element, { x, y }: Box): Element {
  chart.setAttribute('x', String(x));
  chart.setAttribute('y', String(y));
  return chart;
}
