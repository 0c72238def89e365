import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { galleryFiles, openTable, saved, settled, visitEach } from './explorer';

const gallery = new URL('../public/gallery/', import.meta.url);
let site: Site;
let folder: string;
beforeAll(async () => {
  site = await openSite('none');
  folder = await mkdtemp(join(tmpdir(), 'sklens-'));
  for (const [index, file] of (await galleryFiles()).slice(0, 6).entries()) {
    const name = join(folder, index % 2 ? 'odd' : 'even');
    await mkdir(name, { recursive: true });
    await copyFile(fileURLToPath(new URL(file, gallery)), join(name, file));
  }
  await writeFile(join(folder, 'odd', 'broken.jpg'), 'no photo');
  await writeFile(join(folder, 'notes.txt'), 'not even called one');
});
afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});
const visited = visitEach(() => visit({ ...site, url: `${site.url}#/collections` }));

const said = (page: Page, text: string) => page.getByRole('status').filter({ hasText: text }).waitFor({ state: 'attached' });

interface Summary {
  photos: number;
  missing: { image: string }[];
  measured: { photos: number; figures: Record<string, { mean: number[] }>; classes: Record<string, { photos: number }> };
}

test('the gallery, by keyboard: looked at, paused, gone on with and saved', async () => {
  const { page } = visited;
  const all = (await galleryFiles()).length;
  await page.getByRole('button', { name: 'Take the gallery' }).press('Enter');
  await page.getByRole('button', { name: 'Pause' }).press('Enter');
  await said(page, 'Paused after');
  await page.getByRole('button', { name: 'Go on' }).press('Enter');
  await said(page, `All ${all} photos are done.`);
  const spread = page.locator('section[aria-labelledby=spread]');
  await spread.getByText(`Over ${all} photos`).waitFor();
  await openTable(spread);
  expect(await spread.locator('tbody tr').count()).toBe(16);
  const rows = (await saved(page, 'Every photo as CSV')).trim().split('\r\n');
  expect(rows).toHaveLength(1 + all * 3 * 16);
  // Photos outside folders have no class.
  expect(await page.locator('section[aria-labelledby=classes]').count()).toBe(0);
});

test('a folder: subfolders are classes, what cannot be read is listed', async () => {
  const { page } = visited;
  await page.locator('section[aria-labelledby=collections] input[type=file]').first().setInputFiles(folder);
  await said(page, 'All 7 photos are done.');
  const classes = page.locator('section[aria-labelledby=classes]');
  await openTable(classes);
  expect((await classes.locator('tbody th').allTextContents()).sort()).toEqual(['even', 'odd']);
  const caption = await classes.locator('figcaption').textContent();
  await page.locator('.picker input:checked').press('ArrowLeft');
  await expect.poll(() => classes.locator('figcaption').textContent()).not.toBe(caption);
  await page.getByText('One file could not be read').click();
  await page.getByText('odd/broken.jpg').waitFor();
  const summary = JSON.parse(await saved(page, 'Summary as JSON')) as Summary;
  expect([summary.photos, summary.measured.photos]).toEqual([7, 6]);
  expect(summary.missing.map(({ image }) => image)).toEqual(['odd/broken.jpg']);
  expect(Object.entries(summary.measured.classes).map(([name, { photos }]) => [name, photos])).toEqual([['even', 3], ['odd', 3]]);
});

test('a collection goes on while another view is on show', async () => {
  const { page } = visited;
  await page.getByRole('button', { name: 'Take the gallery' }).press('Enter');
  await page.getByRole('link', { name: 'Zoom', exact: true }).press('Enter');
  await page.getByRole('heading', { name: 'Inside one unit' }).waitFor();
  await page.locator('#zoom').fill('1.7');
  await settled(page);
  await page.getByRole('link', { name: 'Collections', exact: true }).press('Enter');
  await said(page, 'photos are done.');
});
