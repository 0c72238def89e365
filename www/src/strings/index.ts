/** Every sentence of the page: one file per language, all of one type. */
import { en, type Strings } from './en';

export type { Strings };
export const t: Strings = en;
export const { attention, signed, times, shortTimes, percent } = en.format;
export { shortLabel } from './en';
