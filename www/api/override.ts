import { SklensError } from './error.js';
import type { Override, Overrides } from './types.js';

/** An override as the engine takes it. */
export type PlainOverride =
  | 'smallest'
  | 'largest'
  | 'uniform'
  | 'swap'
  | { share: number }
  | { values: Float32Array }
  | { branch: number }
  | { off: readonly number[] };

/** What `override` and `tensors` of a call become in a message. */
export interface RunOptions {
  override?: Record<string, PlainOverride[]>;
  tensors?: readonly string[];
}

const words = ['smallest', 'largest', 'uniform', 'swap'];

/** Puts the options into the engine's form; throws `bad-option` that names the unit where one has no meaning. */
export function runOptions(override: Overrides | undefined, tensors: readonly string[] | undefined): RunOptions {
  if (tensors !== undefined && !(Array.isArray(tensors) && tensors.every((name) => typeof name === 'string'))) {
    throw new SklensError('bad-option', '`tensors` must be an array of names.');
  }
  if (override !== undefined && (override === null || typeof override !== 'object')) {
    throw new SklensError('bad-option', '`override` must be an object with the names of SK units, or *, as keys.');
  }
  const forms = (value: Overrides[string]) => (Array.isArray(value) ? value : [value]) as readonly Override[];
  const entries = Object.entries(override ?? {}).map(
    ([unit, value]) => [unit, forms(value).map((form) => plain(unit, form))] as const,
  );
  return {
    ...(entries.length ? { override: Object.fromEntries(entries) } : {}),
    ...(tensors?.length ? { tensors: [...tensors] } : {}),
  };
}

function plain(unit: string, form: Override): PlainOverride {
  if (typeof form === 'number') return { share: form };
  if (form instanceof Float32Array) return { values: form };
  if (typeof form === 'string' && words.includes(form)) return form;
  if (form !== null && typeof form === 'object') {
    if ('branch' in form && isIndex(form.branch)) return { branch: form.branch };
    if ('off' in form && Array.isArray(form.off) && form.off.every(isIndex)) return { off: [...form.off] };
  }
  throw new SklensError(
    'bad-option',
    `The override of ${unit} must be ${words.join(', ')}, a number from 0 to 1, a Float32Array, { branch: m } or { off: [channels] }.`,
  );
}

function isIndex(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}
