import type { WeightPrecision } from './types.js';

/** GiB of memory up to which a device counts as small. */
const SMALL = 4;

/** What is known of a device; browsers that tell its memory, in GiB, say at most 8 or 32. */
export interface Device {
  deviceMemory?: number;
  userAgent?: string;
}

/** How weights are kept on `device` unless it was chosen. */
export function defaultPrecision({ deviceMemory, userAgent }: Device = {}): WeightPrecision {
  const small = deviceMemory === undefined ? /Mobi/.test(userAgent ?? '') : deviceMemory <= SMALL;
  return small ? 'f16' : 'f32';
}
