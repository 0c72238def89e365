import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { galleryPhoto, drop, settled } from './explorer';

let site: Site;
beforeAll(async () => {
  site = await openSite('none');
});
afterAll(() => site.close());

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 2, name });
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? '');

/** Presses Tab until what has the focus matches `selector`. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let press = 0; press < 40; press++) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${selector}`);
}

test('by keyboard alone, while the weights are still on their way', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const { page, problems } = await visit({ ...site, url: `${site.url}model-card.html` });
  let asked = 0;
  await page.route('**/*.safetensors', async (route) => {
    asked++;
    await held;
    await route.continue();
  });
  await page.goto(site.url);
  await tabTo(page, 'a.entry');
  await page.keyboard.press('Enter');

  // Words and a picture of the first step, from numbers that came with the page.
  await heading(page, 'A neuron looks through a window').waitFor();
  await expect.poll(() => focused(page)).toBe('A neuron looks through a window');
  await page.getByText(/% of what moves this neuron of SK_\d_\d lies within a square \d+ pixels wide/).waitFor();
  const window = page.getByRole('img', { name: /^What moves one neuron/ });
  const chosen = await window.getAttribute('aria-label');
  await tabTo(page, 'input[name=tour-kernels]');
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => window.getAttribute('aria-label')).not.toBe(chosen);
  await expect.poll(() => asked).toBe(1);

  // Arrow keys turn the pages and move the focus to the heading; a slider keeps them for itself.
  const turn = async (key: string, name: string) => {
    await page.keyboard.press(key);
    await heading(page, name).waitFor();
    await expect.poll(() => focused(page)).toBe(name);
  };
  await tabTo(page, 'a[rel=next]');
  await page.keyboard.press('Enter');
  await heading(page, 'Two kernels, one picture').waitFor();
  await expect.poll(() => focused(page)).toBe('Two kernels, one picture');
  const sums = page.getByText(/^At column/);
  const before = await sums.textContent();
  await tabTo(page, 'input[type=range]');
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => sums.textContent()).not.toBe(before);
  await tabTo(page, 'a[rel=next]');
  await turn('ArrowRight', 'Split, fuse, select');
  await tabTo(page, 'input[type=range]');
  await page.keyboard.press('End');
  await page.getByText(/^You give 5×5 a share of 1.000/).waitFor();
  await tabTo(page, 'a[rel=next]');
  await turn('ArrowRight', 'Whom each unit trusts');
  const lean = page.getByText(/units leans? to 5×5/);
  const first = await lean.textContent();
  await tabTo(page, 'input[name=tour-photo]');
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => lean.textContent()).not.toBe(first);
  await tabTo(page, 'a[rel=next]');
  await turn('ArrowRight', 'Move closer');
  expect(new URL(page.url()).hash).toBe('#/tour?step=5');
  await tabTo(page, 'input[type=range]');
  await page.keyboard.press('End');
  await page.getByText(/^From 1× to 3.00×, \d+ of 16 units move/).waitFor();
  await tabTo(page, 'a[rel=next]');
  await turn('ArrowRight', 'Your turn');
  await page.getByText('The network is loading').waitFor();
  await turn('ArrowLeft', 'Move closer');
  await turn('ArrowRight', 'Your turn');

  release();
  await page.getByText(/^Of the \d+ things that it knows/).waitFor({ timeout: 120_000 });
  await page.getByRole('link', { name: 'See it live: Zoom' }).press('Enter');
  await settled(page);
  expect(problems).toEqual([]);
  await page.close();
});

test('an address opens its step without moving the focus; a dropped photo is told about', async () => {
  const { page, problems } = await visit({ ...site, url: `${site.url}#/tour?step=6` });
  await heading(page, 'Your turn').waitFor();
  expect(await focused(page)).not.toBe('Your turn');
  await page.getByText(/^Of the \d+ things that it knows/).waitFor({ timeout: 120_000 });
  await drop(page, await galleryPhoto('espresso.jpg'), 'cup.jpg', 'image/jpeg');
  await page.getByRole('heading', { name: 'What the network did with “cup.jpg” at 1.00×' }).waitFor({ timeout: 60_000 });
  // A grey square is nothing that it knows.
  const grey = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(300, 300);
    const pencil = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
    pencil.fillStyle = '#807868';
    pencil.fillRect(0, 0, 300, 300);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg' })).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  });
  await drop(page, Buffer.from(grey, 'base64'), 'grey.jpg', 'image/jpeg');
  await page.getByRole('heading', { name: 'What the network did with “grey.jpg”' }).waitFor({ timeout: 60_000 });
  const told = await page.locator('.told').innerText();
  const sure = Number(/most likely: ([\d.]+) %/.exec(told)?.[1]);
  expect(told.includes('It is far from sure')).toBe(sure < 20);
  expect(problems).toEqual([]);
  await page.close();
});

test.each([1, 2, 3, 4, 5, 6])('step %i fits a phone', async (step) => {
  const { page, problems } = await visit(
    { ...site, url: `${site.url}#/tour?step=${step}` },
    { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' },
  );
  await page.getByText(`Step ${step} of 6`).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(problems).toEqual([]);
  await page.close();
});
