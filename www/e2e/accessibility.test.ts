/** No serious findings of axe in any view. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VIEWS } from '../src/lib/permalink';
import { openSite, visit, type Site } from './browser';
import { settled } from './explorer';

let site: Site;
let axe: string;
beforeAll(async () => {
  site = await openSite('none');
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
afterAll(() => site.close());

test.each(VIEWS.flatMap((view) => (['light', 'dark'] as const).map((colorScheme) => ({ view, colorScheme }))))(
  '$view, $colorScheme',
  async ({ view, colorScheme }) => {
    const { page } = await visit({ ...site, url: `${site.url}#/${view}` }, { colorScheme, reducedMotion: 'reduce' });
    await settled(page);
    await page.locator('.answer section').nth(1).waitFor();
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(
      () => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    const serious = violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help}: ${target.join(' ')}`));
    expect(serious).toEqual([]);
    expect(passes.length).toBeGreaterThan(20);
    await page.close();
  },
);
