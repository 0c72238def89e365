/** Which kernels a visitor's graphics adapters run fastest, kept in the browser. */
import type { Tuning } from 'sklens';

const KEY = 'sklens-tunings';
const SWITCH = 'sklens-tuned';

type Store = Pick<Storage, 'getItem' | 'setItem'>;

/** What was kept; nothing where it cannot be read, for results do not depend on it. */
export function keptTunings(store: Store): Tuning[] {
  try {
    const kept: unknown = JSON.parse(store.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isTuning) : [];
  } catch {
    return [];
  }
}

/** Keeps `tuning` in place of what was kept for its adapter. */
export function keepTuning(store: Store, tuning: Tuning): void {
  const others = keptTunings(store).filter(({ adapter }) => adapter !== tuning.adapter);
  store.setItem(KEY, JSON.stringify([...others, tuning]));
}

/** Whether the visitor wants the kernels that were measured, not the default ones. */
export function wantsTuned(store: Store): boolean {
  return store.getItem(SWITCH) === 'on';
}

/** Remembers {@link wantsTuned}. */
export function wantTuned(store: Store, wanted: boolean): void {
  store.setItem(SWITCH, wanted ? 'on' : 'off');
}

function isTuning(value: unknown): value is Tuning {
  const { adapter, version, choices } = (value ?? {}) as Partial<Tuning>;
  return typeof adapter === 'string' && typeof version === 'string' && Object.values(choices ?? { none: 0 }).every((variant) => typeof variant === 'string');
}
