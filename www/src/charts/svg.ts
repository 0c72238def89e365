import type { Plot, ScaleName } from '@observablehq/plot';

const SVG = 'http://www.w3.org/2000/svg';

/** What a chart's function draws; drawings of Plot know their scales. */
export type Drawn = (SVGSVGElement | HTMLElement) & Partial<Pick<Plot, 'scale'>>;

type Attributes = Readonly<Record<string, string | number>>;
type Place = readonly [x: number, y: number];

/** An SVG element with these attributes. */
export function element<Name extends keyof SVGElementTagNameMap>(name: Name, attributes: Attributes): SVGElementTagNameMap[Name] {
  const made = document.createElementNS(SVG, name);
  setAll(made, attributes);
  return made;
}

/** Draws these paths over a chart, in place of those drawn there before: one attribute to set where a chart would be built anew. */
export function overlay(drawn: Drawn, paths: readonly Attributes[]): void {
  const group = drawn.querySelector(':scope > g.overlay') ?? drawn.appendChild(element('g', { class: 'overlay' }));
  paths.forEach((attributes, place) => setAll(group.children[place] ?? group.appendChild(element('path', {})), attributes));
}

function setAll(target: Element, attributes: Attributes): void {
  for (const [key, value] of Object.entries(attributes)) target.setAttribute(key, String(value));
}

/** Where a drawing of Plot puts a value, in pixels; the start of its band for a facet. */
export function scaleOf(drawn: Drawn, name: ScaleName): { at: (value: unknown) => number; band: number } {
  const scale = drawn.scale?.(name);
  if (!scale) throw new Error(`The chart has no scale ${name}.`);
  return { at: (value) => scale.apply(value) as number, band: scale.bandwidth ?? 0 };
}

/** The outline of a path through these places. */
export const polyline = (places: readonly Place[]): string => places.map(([x, y], place) => `${place === 0 ? 'M' : 'L'}${x},${y}`).join('');

/** The outline of a circle. */
export const circle = ([x, y]: Place, r: number): string => `M${x + r},${y}A${r},${r},0,1,1,${x - r},${y}A${r},${r},0,1,1,${x + r},${y}Z`;

/** The outline of a square as large as a circle of radius `r`. */
export function square([x, y]: Place, r: number): string {
  const side = r * Math.sqrt(Math.PI);
  return `M${x - side / 2},${y - side / 2}h${side}v${side}h${-side}Z`;
}
