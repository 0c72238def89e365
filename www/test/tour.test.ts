import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { placeOf } from '../src/lib/permalink';
import type { GalleryEntry } from '../src/lib/gallery';
import { t } from '../src/strings';
import { brightest, following, lean, limitOf, move, preferring, spread, taps, weighted } from '../src/tour/facts';
import { results, type PhotoResults, type Picture } from '../src/tour/results';
import { liveView, stepAt, STEPS } from '../src/tour/steps';

const photo = (file: string, ...zooms: [scale: number, ...differences: number[]][]): PhotoResults => ({
  entry: { file, title: file } as GalleryEntry,
  zooms: zooms.map(([scale, ...differences]) => ({ scale, top: [], differences })),
});

test('how units lean, move and differ follows from their numbers', () => {
  expect(lean([-0.1, 0.3, 0, 0.2])).toEqual({ large: 2, units: 4, most: 1, least: 0 });
  const far = photo('a', [1, 0, 0.25, 0.5], [2, 0.125, 0.25, 0]);
  const [from, to] = far.zooms;
  expect(from && to && move(from, to)).toEqual({ rising: 1, units: 3, most: 2, change: -0.5 });
  const photos = [far, photo('b', [1, 0.5, 0.25, 0.5], [2, 0.75, 0.5, 0])];
  expect(following(photos, 2)).toBe(1);
  expect(following(photos, 3)).toBe(0);
  expect(spread(photos)).toEqual({ unit: 0, low: photos[0], high: photos[1], width: 0.5 });
  expect(spread([far])).toBeNull();
  expect(limitOf(photos)).toBe(0.8);
  expect(limitOf(photos, [-0.93])).toBe(1);
});

test('a unit’s output and its channels’ preferences', () => {
  const picture = (...pixels: number[]): Picture => ({ width: pixels.length, height: 1, pixels });
  expect(brightest([picture(100, 0, 9), picture(0, 80, 0)])).toBe(0);
  expect(brightest([])).toBe(0);
  expect([...weighted([picture(100, 0), picture(50, 200)], [0.25, 0.75])]).toEqual([62.5, 150]);
  const inside = { unit: '', pooled: [], squeezed: [], channels: [], shape: [3, 1, 1], attention: [0.2, 0.5, 0.6, 0.8, 0.5, 0.4] };
  expect([preferring(inside, 0), preferring(inside, 1)]).toEqual([1, 1]);
});

test('a dilated kernel reads as many places, further apart', () => {
  expect(taps([4, 2], { kernel: 3, dilation: 1 })).toContainEqual([3, 1]);
  const wide = taps([4, 2], { kernel: 3, dilation: 2 });
  expect(wide).toHaveLength(9);
  expect(wide[0]).toEqual([2, 0]);
  expect(wide).toContainEqual([6, 4]);
});

test('every step has its words and its live view, and an address', () => {
  for (const step of STEPS) {
    expect(t.tour[step].heading).toBeTruthy();
    expect(liveView(step, results).href).toMatch(/^#\/[a-z-]+/);
  }
  expect(placeOf('#/tour?step=4')).toEqual({ view: 'tour', step: 4 });
  expect([stepAt(4), stepAt(0), stepAt(99), stepAt(2.4)]).toEqual(['attention', 'window', 'own', 'kernels']);
});

test('the results name photos of the gallery as it is, and numbers for every unit', async () => {
  const gallery = JSON.parse(await readFile(new URL('../public/gallery/gallery.json', import.meta.url), 'utf8')) as GalleryEntry[];
  expect(results.photos.length).toBeGreaterThan(1);
  for (const { entry, zooms } of results.photos) {
    expect(gallery).toContainEqual(entry);
    expect(zooms[0]?.scale).toBe(1);
    expect(zooms.some(({ scale }) => scale === 2)).toBe(true);
    for (const { differences, top } of zooms) {
      expect(differences).toHaveLength(results.units.length);
      expect(top[0]?.probability).toBeGreaterThanOrEqual(top[1]?.probability ?? 0);
    }
  }
  expect(results.units.map(({ name }) => name)).toContain(results.inside.unit);
});
