import { expect, test } from 'vitest';
import { keepTuning, keptTunings, wantTuned, wantsTuned } from '../src/lib/tunings';

function store() {
  const values = new Map<string, string>();
  return { values, getItem: (key: string) => values.get(key) ?? null, setItem: (key: string, value: string) => void values.set(key, value) };
}
const tuning = (adapter: string, variant: string) => ({ adapter, version: '1', choices: { 'pointwise matrix 1 1 1 1': variant } });

test('the last tuning of each adapter is kept', () => {
  const kept = store();
  expect(keptTunings(kept)).toEqual([]);
  for (const [adapter, variant] of [['a', '8x1x8'], ['b', '4x1x8'], ['a', 'staged']] as const) keepTuning(kept, tuning(adapter, variant));
  expect(keptTunings(kept)).toEqual([tuning('b', '4x1x8'), tuning('a', 'staged')]);
});

test('what is not a list of tunings counts as none', () => {
  for (const text of ['no JSON', '{}', 'null', '[1, null, {"adapter": "a"}, {"adapter": "a", "version": "1", "choices": {"x": 1}}]']) {
    const kept = store();
    kept.values.set('sklens-tunings', text);
    expect(keptTunings(kept), text).toEqual([]);
  }
});

test('default kernels run until a visitor wants others', () => {
  const kept = store();
  expect(wantsTuned(kept)).toBe(false);
  wantTuned(kept, true);
  expect(wantsTuned(kept)).toBe(true);
  wantTuned(kept, false);
  expect(wantsTuned(kept)).toBe(false);
});
