/** Which kernels a visitor's graphics adapters run fastest, kept in the browser. */
import type { Tuning } from 'sklens';
import { recall, remember } from './remembered';

const KEY = 'sklens-tunings';
const SWITCH = 'sklens-tuned';

/** What was kept; nothing where it cannot be read, for results do not depend on it. */
export function keptTunings(): Tuning[] {
  try {
    const kept: unknown = JSON.parse(recall(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isTuning) : [];
  } catch {
    return [];
  }
}

/** Keeps `tuning` beside what was kept for its adapter and version, in place of what was kept for another version. */
export function keepTuning(tuning: Tuning): void {
  const kept = keptTunings();
  const before = kept.find(({ adapter, version }) => adapter === tuning.adapter && version === tuning.version);
  const others = kept.filter(({ adapter }) => adapter !== tuning.adapter);
  remember(KEY, JSON.stringify([...others, { ...tuning, choices: { ...before?.choices, ...tuning.choices } }]));
}

/** Whether the visitor wants the kernels that were measured, not the default ones. */
export const wantsTuned = (): boolean => recall(SWITCH) === 'on';

/** Remembers {@link wantsTuned}. */
export const wantTuned = (wanted: boolean): void => remember(SWITCH, wanted ? 'on' : 'off');

function isTuning(value: unknown): value is Tuning {
  const { adapter, version, choices } = (value ?? {}) as Partial<Tuning>;
  const named = typeof choices === 'object' && choices !== null && !Array.isArray(choices);
  return typeof adapter === 'string' && typeof version === 'string' && named && Object.values(choices).every((variant) => typeof variant === 'string');
}
