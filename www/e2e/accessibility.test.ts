/** No serious findings of axe in any view. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VIEWS, type View } from '../src/lib/permalink';
import { openSite, visit, type Site } from './browser';
import { settled } from './explorer';

/** What views say once they have their own answers. */
const ANSWERED: Partial<Record<View, string>> = { 'what-if': 'Nothing is replaced', stimuli: 'units end nearer to 5×5' };

let site: Site;
let axe: string;
beforeAll(async () => {
  site = await openSite('none');
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
afterAll(() => site.close());

test('light and dark', async () => {
  const { page } = await visit(site, { reducedMotion: 'reduce' });
  await settled(page);
  await page.evaluate(axe);
  const found: string[] = [];
  for (const view of VIEWS) {
    await page.goto(`${site.url}#/${view}`);
    await page.locator(view === 'tour' ? 'main h2' : '.answer section:nth-of-type(2)').first().waitFor();
    if (view !== 'tour') await settled(page);
    const answer = ANSWERED[view];
    if (answer) await page.getByText(answer).waitFor();
    // Numbers that are about to be replaced are faint on purpose.
    await page.locator('.stale').first().waitFor({ state: 'detached' });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const { violations, passes } = await page.evaluate(
        () => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
      );
      expect(passes.length, view).toBeGreaterThan(20);
      for (const { id, help, impact, nodes } of violations) {
        if (impact !== 'serious' && impact !== 'critical') continue;
        found.push(...nodes.map(({ target }) => `${view}, ${colorScheme}: ${id}: ${help}: ${target.join(' ')}`));
      }
    }
  }
  expect(found).toEqual([]);
  await page.close();
});
