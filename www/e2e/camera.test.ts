/** The camera, which Chromium plays, and pictures from the clipboard. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { CAMERA, openSite, visit, type Site } from './browser';
import { galleryFiles, galleryPhoto, hide, settled } from './explorer';

const start = (page: Page) => page.getByRole('button', { name: 'Camera', exact: true });
const stop = (page: Page) => page.getByRole('button', { name: 'Stop', exact: true });

let site: Site;
beforeAll(async () => {
  site = await openSite('none', CAMERA);
});
afterAll(() => site.close());

/** Counts, from here on, the frames that the engine gets. */
async function watch(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const counts = { frames: 0 };
    Object.assign(window, { counts });
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (this: Worker, message: { photo?: number | null }) {
      // Frames are the only pictures that are not kept for another question.
      if (message.photo === null) counts.frames++;
      post.call(this, message);
    };
  });
  return () => page.evaluate(() => (window as unknown as { counts: { frames: number } }).counts.frames);
}

test('by keyboard: the camera moves the numbers, pauses when hidden, and leaves its last picture', async () => {
  const { page, problems } = await visit(site);
  await page.addInitScript(() => {
    const media = navigator.mediaDevices;
    const get = media.getUserMedia.bind(media);
    Object.assign(window, { questions: 0 });
    media.getUserMedia = (wanted) => {
      (window as unknown as { questions: number }).questions++;
      return get(wanted);
    };
  });
  await page.reload();
  await settled(page);
  const questions = () => page.evaluate(() => (window as unknown as { questions: number }).questions);
  expect(await questions()).toBe(0);
  expect(await page.locator('.frame video').count()).toBe(0);

  const frames = await watch(page);
  await start(page).press('Enter');
  await page.locator('.frame video').waitFor();
  expect(await questions()).toBe(1);
  await page.getByText(/Live, .* Pictures stay on this device/).waitFor();
  const before = await frames();
  await page.waitForTimeout(4000);
  const seen = (await frames()) - before;
  console.log(`camera: ${(seen / 4).toFixed(1)} analyses per second`);
  expect(seen).toBeGreaterThan(3);

  await hide(page, true);
  await page.waitForTimeout(500);
  const paused = await frames();
  await page.waitForTimeout(1000);
  expect(await frames()).toBe(paused);
  await hide(page, false);
  await expect.poll(frames).toBeGreaterThan(paused);

  await page.locator('#zoom').fill('1.5');
  await stop(page).press('Enter');
  await page.getByText('Your photo. It stays on this device.').waitFor();
  await settled(page);
  expect(await page.locator('#zoom').inputValue()).toBe('1.5');
  expect(await page.locator('.frame').getByRole('img').getAttribute('aria-label')).toContain('from the camera');
  expect(problems).toEqual([]);
  await page.close();
});

test('a photo of the gallery ends the camera', async () => {
  const { page, problems } = await visit(site);
  await settled(page);
  await start(page).click();
  await page.locator('.frame video').waitFor();
  await page.getByRole('button', { name: /koala/i }).click();
  await page.locator('.frame img').waitFor();
  await start(page).waitFor();
  expect(problems).toEqual([]);
  await page.close();
});

test('no camera and a refused one are said in words, and the photo stays', async () => {
  const { page } = await visit(site);
  await settled(page);
  for (const [name, sentence] of [['NotAllowedError', 'was refused'], ['NotFoundError', 'No camera was found']] as const) {
    await page.evaluate((name) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', name));
    }, name);
    await start(page).click();
    await page.getByRole('alert').getByText(sentence).waitFor();
    expect(await page.locator('.frame img').count()).toBe(1);
  }
  await page.close();
});

test('a browser without a camera says so', async () => {
  const bare = await openSite('none');
  const { page, problems } = await visit(bare);
  await settled(page);
  await start(page).click();
  await page.getByRole('alert').getByText(/camera (was refused|could not)|No camera was found/i).waitFor();
  expect(problems).toEqual([]);
  await bare.close();
});

test('a picture in the clipboard, a screenshot for example, is pasted', async () => {
  const { page, problems } = await visit(site, { permissions: ['clipboard-read', 'clipboard-write'] });
  await settled(page);
  const jpeg = (await galleryPhoto((await galleryFiles())[3] as string)).toString('base64');
  await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(bitmap.width / 2, bitmap.height / 2);
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': await canvas.convertToBlob() })]);
  }, jpeg);
  await page.keyboard.press('Control+v');
  await page.getByText('Your photo. It stays on this device.').waitFor();
  await settled(page);
  expect(await page.getByRole('alert').textContent()).toBe('');
  expect(problems).toEqual([]);
  await page.close();
});
