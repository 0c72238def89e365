import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Route } from '../src/state/route.svelte';
import type { Explorer } from '../src/state.svelte';

const explorer = { photo: null, info: null, zoom: 1.5, center: [0.5, 0.5], unit: null, spot: null, gradient: 'fixed', goTo: async () => {} };

beforeEach(() => {
  const location = { hash: '' };
  vi.stubGlobal('location', location);
  vi.stubGlobal('history', { replaceState: (_state: null, _title: string, hash: string) => (location.hash = hash) });
});
afterEach(() => vi.unstubAllGlobals());

test('the address follows what is on show, but not over a link that was just taken', () => {
  const route = new Route(explorer as unknown as Explorer);
  route.write();
  expect(location.hash).toMatch(/^#\/zoom\?.*zoom=1.5/);
  location.hash = '#/stimuli';
  route.write();
  expect(location.hash).toBe('#/stimuli');
  route.follow();
  expect(route.view).toBe('stimuli');
  route.write();
  expect(location.hash).toMatch(/^#\/stimuli\?.*zoom=1.5/);
});
