/** The page in Japanese, reached and kept by keyboard alone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { settled } from './explorer';

let site: Site;
beforeAll(async () => (site = await openSite('none')));
afterAll(() => site?.close());

test('a choice of Japanese by keyboard changes every view and is kept', async () => {
  const { page, problems } = await visit(site);
  await page.waitForURL(/#\/zoom/);
  const before = page.url();
  const language = page.getByRole('combobox', { name: 'Language' });
  while (!(await language.evaluate((element) => element === document.activeElement))) await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.getByRole('heading', { name: '論文の3つのズーム' }).waitFor();
  expect(await page.locator('html').getAttribute('lang')).toBe('ja');
  expect(page.url()).toBe(before);

  await page.reload();
  await settled(page);
  expect(await page.getByRole('combobox', { name: '言語' }).inputValue()).toBe('ja');
  expect(await page.locator('link[rel=manifest]').getAttribute('href')).toBe('./manifest.ja.webmanifest');
  expect(await page.title()).toBe('SK Lens');
  const headings = {
    ズーム: '1つのユニットの中',
    ネットワーク: 'ネットワークの中を進む',
    受容野: '1か所から見えるもの',
    もしも: '自分で決めてみる',
    刺激図形: '猫でもラクダでもなく',
    コレクション: '1枚だけでは語れない',
    ツアー: 'ニューロンは窓からのぞく',
  };
  for (const [view, heading] of Object.entries(headings)) {
    await page.getByRole('navigation', { name: '画面' }).getByRole('link', { name: view, exact: true }).press('Enter');
    await page.getByRole('heading', { name: heading }).waitFor();
  }
  expect(problems).toEqual([]);
  await page.close();
});

test('a browser that asks for Japanese gets it at once; a choice of English is kept against it', async () => {
  const { page } = await visit(site, { locale: 'ja-JP' });
  await page.getByRole('navigation', { name: '画面' }).waitFor();
  await page.getByRole('combobox', { name: '言語' }).selectOption('en');
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  await page.reload();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  await page.close();
});
