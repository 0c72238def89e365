/** Files that a visitor may drop: the right result, or a sentence that helps. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { avif, blackPng, bmp, gif } from './pictures';
import { drop, galleryFiles, galleryPhoto, settled } from './explorer';

const fixtures = new URL('../../tests/fixtures/images/', import.meta.url);
declare global {
  interface Window {
    /** How often the page decoded for display, and the function that does. */
    decoded?: { times: number; decode: HTMLImageElement['decode'] };
  }
}

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
  // A picture that can be read takes away what was said of the one before.
  await drop(page, jpeg, `before ${name}`, 'image/jpeg');
  await page.locator(`.frame img[alt*="before ${name}"]`).waitFor();
  await settled(page);
  await expect.poll(() => page.getByRole('alert').textContent()).toBe('');
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

test('of an animated GIF the first picture is analysed', async () => {
  const gif = 'R0lGODlhCAAIAIEAAMgeHgAAAAAAAAAAACH/C05FVFNDQVBFMi4wAwEAAAAh+QQACgAAACwAAAAACAAIAAAIDwABCBxIsKDBgwgTKkwYEAAh+QQBCgABACwAAAAACAAIAIEeyB4AAAAAAAAAAAAIDwABCBxIsKDBgwgTKkwYEAAh+QQBCgABACwAAAAACAAIAIEeHsgAAAAAAAAAAAAIDwABCBxIsKDBgwgTKkwYEAA7';
  await drop(page, Buffer.from(gif, 'base64'), 'animated.gif', 'image/gif');
  await page.locator('.frame img[alt*="animated.gif"]').waitFor();
  await settled(page);
  expect(await page.getByRole('alert').textContent()).toBe('');
});

test('a drawing in SVG is refused in words, and its script does not run', async () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><script>window.injected = true</script><circle cx="150" cy="100" r="60"/></svg>';
  await drop(page, Buffer.from(svg), 'drawing.svg', 'image/svg+xml');
  await page.getByRole('alert').getByText(/JPEG, PNG/).waitFor();
  await settled(page);
  expect(await page.evaluate(() => 'injected' in window)).toBe(false);
});

test('a picture of 100 megapixels is analysed, one of 196 is refused in words', async () => {
  await drop(page, blackPng(10_000), 'large.png', 'image/png');
  await page.locator('.frame img[alt*="large.png"]').waitFor();
  await settled(page, 240_000);
  expect(await page.getByRole('alert').textContent()).toBe('');
  await drop(page, blackPng(14_000), 'larger.png', 'image/png');
  await page.getByRole('alert').getByText(/14000 × 14000 .* 144 megapixels.*previous photo stays/).waitFor({ timeout: 120_000 });
  await settled(page, 120_000);
  expect(await shown()).toContain('large.png');
});

test.each([
  ['a GIF', gif(13_000, 12_000), gif(1, 1)],
  ['a BMP', bmp(13_000, 12_000), bmp(20, 30, 30)],
  ['an AVIF', avif(13_000, 12_000), avif()],
])('%s of 156 megapixels is refused before anything is decoded, by the page and by the engine; a small one is analysed', async (_, large, small) => {
  const files = [large, small].map((file) => file.toString('base64'));
  const found = await page.evaluate(async (files) => {
    const [large, small] = files.map((base64) => new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]));
    const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
    const answer = (file: Blob | undefined) => session.analyze(file as Blob).then(() => 'analysed', (error: Error) => error.message);
    const answers = [await answer(large), await answer(small)];
    session.close();
    return answers;
  }, files);
  expect(found).toEqual([expect.stringContaining('13000×12000 pixels; use one of at most 144 megapixels'), 'analysed']);

  await page.evaluate(() => {
    const { decode } = HTMLImageElement.prototype;
    window.decoded = { times: 0, decode };
    HTMLImageElement.prototype.decode = function () {
      if (window.decoded) window.decoded.times++;
      return decode.call(this);
    };
  });
  const decoded = () => page.evaluate(() => window.decoded?.times);
  const before = await shown();
  await drop(page, large, 'large', 'image/png');
  await page.getByRole('alert').getByText(/13000 × 12000 .* 144 megapixels.*previous photo stays/).waitFor();
  expect(await decoded()).toBe(0);
  expect(await shown()).toBe(before);
  await drop(page, small, 'small', 'image/png');
  await page.locator('.frame img[alt*="small"]').waitFor();
  await settled(page);
  expect(await decoded()).toBe(1);
  await page.evaluate(() => window.decoded && (HTMLImageElement.prototype.decode = window.decoded.decode));
});

test('pixels that a program brings are measured before they are sent', async () => {
  const messages = await page.evaluate(async () => {
    const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
    let sent = 0;
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (this: Worker, message: unknown) {
      sent++;
      post.call(this, message);
    };
    const canvas = new OffscreenCanvas(16_000, 9_001);
    canvas.getContext('2d');
    const bitmap = canvas.transferToImageBitmap();
    const answers = [];
    for (const image of [bitmap, new ImageData(16_000, 9_001)]) {
      answers.push(await session.analyze(image).then(() => 'analysed', (error: Error) => error.message));
    }
    bitmap.close();
    Worker.prototype.postMessage = post;
    session.close();
    return [...answers, sent];
  });
  const refused = expect.stringContaining('16000×9001 pixels');
  expect(messages).toEqual([refused, refused, 0]);
});

test('a picture is found in a dropped folder, beside documents and in folders within', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sklens-folder-'));
  await mkdir(join(folder, 'notes', 'older'), { recursive: true });
  await writeFile(join(folder, 'list.txt'), 'words');
  await writeFile(join(folder, '.hidden'), 'words');
  await writeFile(join(folder, 'notes', 'older', 'found.jpg'), jpeg);
  const control = await page.context().newCDPSession(page);
  const data = { items: [], files: [folder], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await control.send('Input.dispatchDragEvent', { type, x: 700, y: 300, data });
  }
  await page.locator('.frame img[alt*="found.jpg"]').waitFor();
  await settled(page);
  expect(await page.getByRole('alert').textContent()).toBe('');
  await rm(folder, { recursive: true });
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
