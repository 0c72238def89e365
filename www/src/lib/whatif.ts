/** What the visitor puts in the place of attention, and the overrides that this means for the engine. */
import type { Override, Overrides, Result, UnitInfo } from 'sklens';
import { unitResult } from './attention';

/** What replaces a unit's attention. */
export type Setting =
  | { kind: 'smallest' | 'largest' | 'uniform' | 'swap' }
  /** Share of the largest kernel in every channel, 0…1. */
  | { kind: 'share'; share: number }
  /** The values that the unit has at another zoom. */
  | { kind: 'freeze'; zoom: number };

/** All that is replaced, by the unit's name. */
export interface Settings {
  units: Readonly<Record<string, Setting>>;
  /** Channels turned off, counted from 1. */
  off: Readonly<Record<string, readonly number[]>>;
}

export const NOTHING: Settings = { units: {}, off: {} };

/** The settings with another one for `names`; null lets the network decide again. */
export function withSetting(settings: Settings, names: readonly string[], setting: Setting | null): Settings {
  const units = { ...settings.units };
  for (const name of names) {
    if (setting) units[name] = setting;
    else delete units[name];
  }
  return { ...settings, units };
}

/** The settings with other channels of one unit turned off. */
export function withOff(settings: Settings, name: string, channels: readonly number[]): Settings {
  const off = { ...settings.off };
  if (channels.length > 0) off[name] = channels;
  else delete off[name];
  return { ...settings, off };
}

/** Units of which something is replaced, in the network's order. */
export function touched({ units, off }: Settings, all: readonly UnitInfo[]): string[] {
  return all.map(({ name }) => name).filter((name) => name in units || name in off);
}

/** The zooms whose attention is frozen somewhere. */
export function frozenZooms({ units }: Settings): number[] {
  return [...new Set(Object.values(units).flatMap((setting) => (setting.kind === 'freeze' ? [setting.zoom] : [])))];
}

/** The engine's form; `results` holds an analysis without overrides at every frozen zoom. */
export function overridesOf(settings: Settings, all: readonly UnitInfo[], results: readonly Result[]): Overrides {
  const found: Record<string, Override[]> = {};
  for (const name of touched(settings, all)) {
    const setting = settings.units[name];
    const off = settings.off[name];
    const own = setting && overrideOf(name, setting, results);
    found[name] = [...(own === undefined ? [] : [own]), ...(off ? [{ off: off.map((channel) => channel - 1) }] : [])];
  }
  return found;
}

function overrideOf(name: string, setting: Setting, results: readonly Result[]): Override | undefined {
  if (setting.kind === 'share') return setting.share;
  if (setting.kind !== 'freeze') return setting.kind;
  const result = results.find(({ scale }) => scale === setting.zoom);
  return result && unitResult(result, name)?.attention;
}

/** Reads `3, 7-9`: channels 1…count, in order, each once; null where it is no such list. */
export function channelList(text: string, count: number): number[] | null {
  const found = new Set<number>();
  for (const part of text.split(/[,\s]+/).filter(Boolean)) {
    const [, first, last = first] = /^(\d+)(?:[-–](\d+))?$/.exec(part) ?? [];
    if (first === undefined) return null;
    const [from, to] = [Number(first), Number(last)];
    if (from < 1 || to > count || from > to) return null;
    for (let channel = from; channel <= to; channel++) found.add(channel);
  }
  return [...found].sort((a, b) => a - b);
}

/** A class's probability without and with the override. */
export interface Comparison {
  index: number;
  label: string;
  before: number;
  after: number;
}

/** The best classes of both results, best after the override first; softmax of the logits, so that none is missing. */
export function compare(before: Result, after: Result, count = 5): Comparison[] {
  const labels = new Map([...before.top, ...after.top].map(({ index, label }) => [index, label]));
  const [p, q] = [softmax(before.logits), softmax(after.logits)];
  const rows = [...labels].map(([index, label]) => ({ index, label, before: p[index] ?? 0, after: q[index] ?? 0 }));
  const best = (of: (row: Comparison) => number) => [...rows].sort((a, b) => of(b) - of(a)).slice(0, count);
  const shown = new Set([...best((row) => row.after), ...best((row) => row.before).slice(0, 1)]);
  return [...shown];
}

function softmax(logits: Float32Array): Float32Array {
  const highest = logits.reduce((high, value) => Math.max(high, value), -Infinity);
  const powers = logits.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}
