/** The pictures of the documentation: `SKLENS_PICTURES=../docs npm --prefix www run e2e -- pictures` takes them anew. */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { openSite, visit } from './browser';
import { settled } from './explorer';

const folder = process.env.SKLENS_PICTURES;

/** File, address and what to do before the picture is taken. */
const PICTURES: [file: string, address: string, act?: (page: Page) => Promise<void>][] = [
  ['page.jpg', 'zoom'],
  ['pictures/tour.jpg', 'tour?step=1'],
  ['pictures/tour-zoom.jpg', 'tour?step=5'],
  ['pictures/zoom.jpg', 'zoom?photo=koala.jpg&zoom=1.7'],
  ['pictures/figure-3.jpg', 'figure-3'],
  ['pictures/network.jpg', 'network'],
  ['pictures/field.jpg', 'field?unit=SK_3_8&spot=0.48,0.62', (page) => page.locator('section[aria-labelledby=field][aria-busy=false] .marker').waitFor()],
  ['pictures/what-if.jpg', 'what-if', (page) => page.getByRole('button', { name: 'All 5×5' }).click()],
  ['pictures/stimuli.jpg', 'stimuli', (page) => page.getByText('units end nearer to 5×5').waitFor()],
  [
    'pictures/collections.jpg',
    'collections',
    async (page) => {
      await page.getByRole('button', { name: 'Take the gallery' }).click();
      await page.getByRole('status').filter({ hasText: 'photos are done' }).waitFor({ state: 'attached', timeout: 120_000 });
    },
  ],
];

test.skipIf(!folder)('pictures of the documentation', async () => {
  const site = await openSite('none');
  for (const [file, address, act] of PICTURES) {
    const { page, problems } = await visit({ ...site, url: `${site.url}#/${address}` }, { reducedMotion: 'reduce', deviceScaleFactor: 5 / 6 });
    if (!address.startsWith('tour')) await settled(page);
    await act?.(page);
    // The gallery is looked at, and everything is drawn.
    await page.waitForTimeout(9000);
    await page.screenshot({ path: join(folder as string, file), type: 'jpeg', quality: 84 });
    expect(problems).toEqual([]);
    await page.close();
  }
  await site.close();
});
