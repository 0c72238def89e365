/** Addresses that bring back what is on show: `#/field?photo=cat.jpg&zoom=1.4&at=0.46,0.47&unit=SK_3_8&spot=0.4,0.5`. */
import type { Point } from './crop';

export const VIEWS = ['zoom', 'figure-3', 'network', 'field', 'what-if', 'stimuli', 'collections', 'tour'] as const;
export type View = (typeof VIEWS)[number];

/** What an address says; what is missing stays as it is. */
export interface Place {
  view: View;
  /** File of a gallery photo. */
  photo?: string;
  model?: string;
  zoom?: number;
  center?: Point;
  unit?: string;
  /** The place whose receptive field is shown. */
  spot?: Point;
  /** How that field's gradient treats attention, if not as fixed. */
  gradient?: 'differentiated';
  /** Page of the tour, counted from 1. */
  step?: number;
}

/** The part of the address after the page's own, `#` included; the slash keeps it from naming an element of the page. */
export function address({ view, photo, model, zoom, center, unit, spot, gradient, step }: Place): string {
  const fields = new URLSearchParams();
  if (photo !== undefined) fields.set('photo', photo);
  if (model !== undefined) fields.set('model', model);
  if (zoom !== undefined) fields.set('zoom', String(zoom));
  if (center !== undefined) fields.set('at', pair(center));
  if (unit !== undefined) fields.set('unit', unit);
  if (spot !== undefined) fields.set('spot', pair(spot));
  if (gradient !== undefined) fields.set('gradient', gradient);
  if (step !== undefined) fields.set('step', String(step));
  const query = fields.toString().replaceAll('%2C', ',');
  return `#/${view}${query && `?${query}`}`;
}

/** Reads an address; whatever makes no sense counts as missing, an unknown view as the first. */
export function placeOf(hash: string): Place {
  const [name, query] = hash.replace(/^#\/?/, '').split('?');
  const fields = new URLSearchParams(query);
  const place: Place = { view: VIEWS.find((view) => view === name) ?? VIEWS[0] };
  for (const field of ['photo', 'model', 'unit'] as const) {
    const value = fields.get(field);
    if (value) place[field] = value;
  }
  const zoom = fraction(fields.get('zoom'));
  if (zoom !== undefined) place.zoom = zoom;
  const center = point(fields.get('at'));
  if (center) place.center = center;
  const spot = point(fields.get('spot'));
  if (spot) place.spot = spot;
  if (fields.get('gradient') === 'differentiated') place.gradient = 'differentiated';
  const step = fraction(fields.get('step'));
  if (step !== undefined) place.step = step;
  return place;
}

function pair(point: Point): string {
  return addressable(point).join();
}

function point(text: string | null): Point | undefined {
  const [x, y] = (text ?? '').split(',').map(fraction);
  return x !== undefined && y !== undefined ? [x, y] : undefined;
}

function fraction(text: string | null): number | undefined {
  const value = text ? Number(text) : NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** The nearest place that an address can name; what is on show is such a place, so that its address brings back the same. */
export function addressable([x, y]: Point): Point {
  return [Number(x.toFixed(4)), Number(y.toFixed(4))];
}
