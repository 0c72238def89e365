/** Every sentence of the page: one file per language, all of one type. */
import type { Formats } from './formats';
import { t } from './language.svelte';

export type { Strings } from './en';
export { t };
export { shortLabel } from './en';

export const attention: Formats['attention'] = (value) => t.format.attention(value);
export const signed: Formats['signed'] = (value) => t.format.signed(value);
export const times: Formats['times'] = (zoom) => t.format.times(zoom);
export const shortTimes: Formats['shortTimes'] = (zoom) => t.format.shortTimes(zoom);
export const percent: Formats['percent'] = (value) => t.format.percent(value);
