/** Two networks on one photo, counterexamples in the gallery, and the page on paper. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { settled } from './explorer';

let site: Site;
beforeAll(async () => {
  site = await openSite('none');
});
afterAll(() => site.close());

test('a second network runs beside the first, by keyboard, and its worker ends with it', async () => {
  const { page, problems } = await visit({ ...site, url: `${site.url}#/what-if` });
  await settled(page);
  const beside = page.locator('section[aria-labelledby=beside]');
  await beside.waitFor();
  const workers = page.workers().length;
  await beside.getByRole('combobox', { name: 'Network beside' }).selectOption('sk_shufflenet_v2_x0_5');
  await beside.getByRole('button', { name: 'Run beside, with random weights' }).press('Enter');
  await beside.getByText('sk_shufflenet_v2_x0_5 has random weights').waitFor();
  expect(page.workers().length).toBe(workers + 1);
  const table = beside.getByRole('table', { name: 'Best guesses of both networks' });
  expect(await table.locator('tbody tr').count()).toBe(5);
  expect(await beside.locator('figure').count()).toBe(2);

  // The first network beside itself answers as the first does, at every zoom.
  await beside.getByRole('combobox', { name: 'Network beside' }).selectOption('sk_shufflenet_v2_x1_0');
  await beside.getByRole('button', { name: 'Run beside', exact: true }).press('Enter');
  const same = async () => {
    const guesses = await table.locator('tbody td').allTextContents();
    return guesses.every((text, place) => text === guesses[place - (place % 2)]) && guesses.join();
  };
  await expect.poll(same, { timeout: 60_000 }).toBeTruthy();
  const before = await same();
  await page.locator('#zoom').fill('2');
  await settled(page);
  await expect.poll(same, { timeout: 60_000 }).toBeTruthy();
  expect(await same()).not.toBe(before);
  expect(page.workers().length).toBe(workers + 1);
  await beside.getByRole('button', { name: 'Close it' }).press('Enter');
  await expect.poll(() => page.workers().length).toBe(workers);
  expect(await table.count()).toBe(0);
  expect(problems).toEqual([]);
  await page.close();
});

test('counterexamples of the gallery are those that the network’s numbers make, three at least', async () => {
  const { page } = await visit(site);
  await settled(page);
  const expected = await page.evaluate(async () => {
    const entries = (await (await fetch('gallery/gallery.json')).json()) as { file: string; title: string; centre: [number, number] }[];
    const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
    const titles: string[] = [];
    for (const { file, title, centre } of entries) {
      const photo = await (await fetch(`gallery/${file}`)).blob();
      const [one, two] = await session.analyze(photo, { scales: [1, 2], center: centre });
      const changes = (one?.units ?? []).map(({ meanDifference }, unit) => (two?.units[unit]?.meanDifference ?? NaN) - (meanDifference ?? NaN));
      const rising = changes.filter((change) => change > 0).length;
      if (changes.reduce((total, change) => total + change, 0) < 0 && rising * 2 <= changes.length) titles.push(title);
    }
    session.close();
    return titles;
  });
  expect(expected.length).toBeGreaterThanOrEqual(3);
  const marked = () =>
    page.locator('.row li button', { has: page.locator('.mark') }).evaluateAll((found) => found.map((button) => button.getAttribute('title')));
  await expect.poll(marked, { timeout: 120_000 }).toEqual(expected);
  await page.close();
});

test('printed, the page has its charts and no controls, light in the dark too', async () => {
  const { page } = await visit(site, { colorScheme: 'dark' });
  await settled(page);
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('nav').isVisible()).toBe(false);
  expect(await page.getByRole('button').filter({ visible: true }).count()).toBeLessThanOrEqual(3);
  expect(await page.locator('.chart svg').first().isVisible()).toBe(true);
  expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe('rgb(247, 245, 240)');
  const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
  if (process.env.SKLENS_PRINT) await (await import('node:fs/promises')).writeFile(process.env.SKLENS_PRINT, pdf);
  expect(pdf.subarray(0, 4).toString()).toBe('%PDF');
  await page.close();
});
