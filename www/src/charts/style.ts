/** How a zoom looks in every chart and beside every picture: three references by pattern, the present one in full ink. */

export interface ZoomStyle {
  /** SVG dash array; undefined is a continuous line. */
  dash: string | undefined;
  /** Name of the fill: hollow, hatched, solid. */
  fill: 'hollow' | 'hatched' | 'solid';
}

const references: readonly ZoomStyle[] = [
  { dash: '1.5 4', fill: 'hollow' },
  { dash: '7 4', fill: 'hatched' },
  { dash: undefined, fill: 'solid' },
];

/** The style of the paper's zoom with that place in the sweep. */
export function zoomStyle(place: number): ZoomStyle {
  return references[place] ?? { dash: undefined, fill: 'solid' };
}

/** Colours are CSS variables so that charts follow the theme without being drawn again. */
export const colours = {
  ink: 'var(--ink)',
  muted: 'var(--muted)',
  rule: 'var(--rule)',
  small: 'var(--small)',
  large: 'var(--large)',
  smallTint: 'var(--small-tint)',
  largeTint: 'var(--large-tint)',
} as const;
