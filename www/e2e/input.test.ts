/** Files that a visitor may drop: the right result, or a sentence that helps. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { drop, galleryFiles, galleryPhoto, settled } from './explorer';

const fixtures = new URL('../../tests/fixtures/images/', import.meta.url);
let site: Site;
let page: Page;
let problems: string[];
let jpeg: Buffer;

beforeAll(async () => {
  site = await openSite('none');
  ({ page, problems } = await visit(site));
  await settled(page);
  jpeg = await galleryPhoto((await galleryFiles())[0] as string);
});
afterAll(async () => {
  await site.close();
  expect(problems).toEqual([]);
});

const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic\0\0\0\0mif1heic'), Buffer.alloc(200)]);
const shown = () => page.locator('.frame img').getAttribute('alt');

test.each([
  ['empty.jpg', () => Buffer.alloc(0)],
  ['truncated.jpg', () => jpeg.subarray(0, jpeg.length / 2)],
  ['page.jpg', () => Buffer.from('<!doctype html><html><body>Not found</body></html>')],
  ['phone.heic', () => heic],
  ['paper.pdf', () => Buffer.from('%PDF-1.7')],
])('%s leaves the photo and says which file is unusable', async (name, bytes) => {
  const before = await shown();
  await drop(page, bytes(), name, 'image/jpeg');
  await page.getByRole('alert').getByText(/previous photo stays/i).waitFor();
  await settled(page);
  expect(await shown()).toBe(before);
  expect(await page.getByRole('alert').textContent()).toMatch(/JPEG|PNG|picture/);
});

test.each(['animated.png', 'animated.webp', 'rgb16.png', 'cmyk.jpg', 'grey.jpg', 'greyalpha.png', 'alpha.png', 'rotated.jpg', 'palette.png'])(
  '%s is analysed, whatever its name says',
  async (name) => {
    await drop(page, await readFile(new URL(name, fixtures)), `${name}.gif`, 'image/gif');
    await page.locator(`.frame img[alt*="${name}"]`).waitFor();
    await settled(page);
    expect(await page.getByRole('alert').textContent()).toBe('');
  },
);

test.each([
  [1, 1],
  [9000, 30],
])('a picture of %i × %i pixels is analysed', async (width, height) => {
  const base64 = await page.evaluate(async ([width, height]) => {
    const canvas = new OffscreenCanvas(width as number, height as number);
    canvas.getContext('2d')?.fillRect(0, 0, 5, 5);
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  }, [width, height]);
  await drop(page, Buffer.from(base64, 'base64'), `${width}.png`, 'image/png');
  await page.locator(`.frame img[alt*="${width}.png"]`).waitFor();
  await settled(page);
  expect(await page.getByRole('alert').textContent()).toBe('');
});

test('of 200 things dropped at once, documents among them, a picture is shown', async () => {
  const data = await page.evaluateHandle((base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    for (let at = 0; at < 200; at++) {
      const picture = at % 3 === 2;
      data.items.add(picture ? new File([bytes], `many${at}.jpg`, { type: 'image/jpeg' }) : new File(['words'], `notes${at}.txt`, { type: 'text/plain' }));
    }
    return data;
  }, jpeg.toString('base64'));
  await page.dispatchEvent('main', 'drop', { dataTransfer: data });
  await page.locator('.frame img[alt*="many"]').waitFor();
  await settled(page);
});

test('slider events at 200 a second coalesce, and a second tab works beside the first', async () => {
  const second = await visit(site);
  await settled(second.page);
  const calls = await page.evaluate(async () => {
    const slider = document.querySelector<HTMLInputElement>('#zoom') as HTMLInputElement;
    let calls = 0;
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (this: Worker, message: unknown) {
      calls++;
      post.call(this, message);
    };
    for (let step = 0; step < 200; step++) {
      slider.value = String(1 + step / 100);
      slider.dispatchEvent(new Event('input', { bubbles: true }));
      await new Promise((done) => setTimeout(done, 5));
    }
    Worker.prototype.postMessage = post;
    return calls;
  });
  await settled(page);
  expect(calls).toBeGreaterThan(0);
  expect(calls).toBeLessThan(190);
  expect(await page.locator('#zoom').inputValue()).toBe('2.99');
  await settled(second.page);
  expect(second.problems).toEqual([]);
  await second.page.close();
});
