import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { recall, remember } from '../src/lib/remembered';
import { keepTuning, keptTunings, wantTuned, wantsTuned } from '../src/lib/tunings';

const values = new Map<string, string>();
beforeEach(() => {
  values.clear();
  vi.stubGlobal('localStorage', { getItem: (key: string) => values.get(key) ?? null, setItem: (key: string, value: string) => void values.set(key, value) });
});
afterEach(() => void vi.unstubAllGlobals());
const tuning = (adapter: string, variant: string) => ({ adapter, version: '1', choices: { 'pointwise 1 1 1 1': variant } });

test('the last tuning of each adapter is kept', () => {
  expect(keptTunings()).toEqual([]);
  for (const [adapter, variant] of [['a', '8x8'], ['b', '4x8'], ['a', 'staged']] as const) keepTuning(tuning(adapter, variant));
  expect(keptTunings()).toEqual([tuning('b', '4x8'), tuning('a', 'staged')]);
});

test('what was measured of other shapes stays, of another version goes', () => {
  const other = { adapter: 'a', version: '1', choices: { 'pointwise 2 2 2 2': '4x8' } };
  keepTuning(tuning('a', '8x8'));
  keepTuning(other);
  expect(keptTunings()).toEqual([{ ...other, choices: { 'pointwise 1 1 1 1': '8x8', ...other.choices } }]);
  keepTuning({ ...other, version: '2' });
  expect(keptTunings()).toEqual([{ ...other, version: '2' }]);
});

test('what is not a list of tunings counts as none', () => {
  for (const text of ['no JSON', '{}', 'null', '[1, null, {"adapter": "a"}, {"adapter": "a", "version": "1", "choices": {"x": 1}}, {"adapter": "a", "version": "1", "choices": ["8x8"]}]']) {
    values.set('sklens-tunings', text);
    expect(keptTunings(), text).toEqual([]);
  }
});

test('default kernels run until a visitor wants others', () => {
  expect(wantsTuned()).toBe(false);
  wantTuned(true);
  expect(wantsTuned()).toBe(true);
  wantTuned(false);
  expect(wantsTuned()).toBe(false);
});

test('a browser that remembers nothing hinders nothing', () => {
  const forbidden = () => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  };
  vi.stubGlobal('localStorage', { getItem: forbidden, setItem: forbidden });
  remember('key', 'value');
  keepTuning(tuning('a', '8x8'));
  expect([recall('key'), keptTunings(), wantsTuned()]).toEqual([null, [], false]);
});
