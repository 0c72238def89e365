import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VIEWS } from '../src/lib/permalink';
import { openSite, visit, type Gpu, type Site } from './browser';
import { attentionChange, drop, galleryFiles, galleryPhoto, paste, read, runOn, settled, visitEach, zoomTo } from './explorer';

describe.each<{ gpu: Gpu; backend: 'gpu' | 'cpu' }>([
  { gpu: 'webgpu', backend: 'gpu' },
  { gpu: 'none', backend: 'cpu' },
])('on the $backend engine (WebGPU: $gpu)', ({ gpu, backend }) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(gpu);
  });
  afterAll(() => site.close());

  test('opens analysed; a drop and the slider change attention and predictions', async () => {
    const { page, problems } = await visit(site);
    await settled(page);
    if (backend === 'gpu') await runOn(page, 'gpu');
    expect(await page.locator('#engine [data-backend]').getAttribute('data-backend')).toBe(backend);

    const opened = await read(page);
    expect(opened.predictions).toHaveLength(5);
    expect(opened.predictions.every(({ percent }) => percent > 0 && percent <= 100)).toBe(true);
    expect(Object.keys(opened.units)).toHaveLength(16);
    expect(await page.locator('.frame img').getAttribute('alt')).toBeTruthy();

    const files = await galleryFiles();
    const name = files.at(-1) as string;
    await drop(page, await galleryPhoto(name), name, 'image/jpeg');
    await page.getByText(`It stays on this device`).waitFor();
    await settled(page);
    const dropped = await read(page);
    expect(attentionChange(opened, dropped)).toBeGreaterThan(0.002);
    expect(dropped.predictions).not.toEqual(opened.predictions);

    await zoomTo(page, 1.83);
    const zoomed = await read(page);
    expect(zoomed.now).toContain('1.83×');
    expect(attentionChange(dropped, zoomed)).toBeGreaterThan(0.002);
    expect(zoomed.predictions).not.toEqual(dropped.predictions);
    expect(zoomed.channels).not.toEqual(dropped.channels);

    const dispatches = await page.locator('#engine dt', { hasText: 'Dispatches' }).locator('+ dd').allTextContents();
    if (backend === 'gpu') expect(Number(dispatches[0])).toBeGreaterThan(10);
    else expect(dispatches).toEqual([]);

    const memory = () => page.locator('#engine dt', { hasText: 'Weights in memory' }).locator('+ dd').textContent();
    const full = await memory();
    expect(full).toContain('MB, f32');
    await page.locator('input[name=precision][value=f16]').check();
    await page.getByText('The weights are kept as f16').waitFor({ timeout: 90_000 });
    await settled(page);
    expect(await memory()).toContain('MB, f16');
    expect(parseFloat((await memory()) as string) / parseFloat(full as string)).toBeLessThan(0.6);
    const halved = await read(page);
    expect(attentionChange(zoomed, halved)).toBeLessThan(0.002);
    expect(halved.predictions.map(({ label }) => label)[0]).toBe(zoomed.predictions.map(({ label }) => label)[0]);
    expect(problems).toEqual([]);
    await page.close();
  });
});

describe('the page', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite('none');
  });
  afterAll(() => site.close());
  const visited = visitEach(() => visit(site));

  test('shows the numbers that the API gives for the same photo, zoom and centre', async () => {
    const { page } = visited;
    await zoomTo(page, 1.37);
    const shown = await read(page);
    const direct = await page.evaluate(async () => {
      const entries = await (await fetch('gallery/gallery.json')).json();
      const photo = await (await fetch(`gallery/${entries[0].file}`)).blob();
      const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
      const results = await session.analyze(photo, { scales: [1, 1.5, 2, 1.37], center: entries[0].centre });
      session.close();
      return results.map(({ top, units }) => ({
        label: top[0]?.label,
        units: units.map(({ name, meanDifference }) => ({ name, meanDifference: meanDifference as number })),
      }));
    });
    expect(shown.predictions[0]?.label).toBe(direct[3]?.label);
    direct.forEach(({ units }, column) => {
      for (const { name, meanDifference } of units) {
        expect(Math.abs((shown.units[name]?.[column] ?? NaN) - meanDifference)).toBeLessThan(1e-3);
      }
    });
  });

  test('a drop that is no picture says so and keeps the photo; the next one works', async () => {
    const { page } = visited;
    const before = await read(page);
    const source = await page.locator('.frame img').getAttribute('src');
    await drop(page, Buffer.from('not a picture'), 'notes.txt', 'text/plain');
    await page.getByRole('alert').getByText('notes.txt').waitFor();
    expect(await page.locator('.frame img').getAttribute('src')).toBe(source);
    await zoomTo(page, 1.2);
    expect(attentionChange(before, await read(page))).toBeGreaterThan(0);
    const name = (await galleryFiles())[1] as string;
    await paste(page, await galleryPhoto(name), name, 'image/jpeg');
    await page.getByText('It stays on this device').waitFor();
    expect(await page.getByRole('alert').textContent()).toBe('');
  });

  test('formats that only the browser knows are analysed too', async () => {
    const { page } = visited;
    const gif = 'R0lGODlhAgACAIAAAP8AAP///yH5BAAAAAAALAAAAAACAAIAAAIDRAJZADs=';
    const before = await read(page);
    await drop(page, Buffer.from(gif, 'base64'), 'red.gif', 'image/gif');
    await page.getByText('It stays on this device').waitFor();
    await settled(page);
    expect(await page.getByRole('alert').textContent()).toBe('');
    expect(attentionChange(before, await read(page))).toBeGreaterThan(0.002);
  });

  test('works by keyboard: zoom, centre, unit, view', async () => {
    const { page } = visited;
    await page.keyboard.press('+');
    await page.keyboard.press('+');
    await settled(page);
    const before = await read(page);
    expect(before.now).toContain('1.20×');

    await page.getByRole('group', { name: 'The part that the network sees' }).focus();
    for (let press = 0; press < 5; press++) await page.keyboard.press('Shift+ArrowLeft');
    await settled(page);
    expect(attentionChange(before, await read(page))).toBeGreaterThan(0);

    const name = await page.locator('.picker strong').textContent();
    await page.locator('.picker input:checked').focus();
    await page.keyboard.press('ArrowLeft');
    expect(await page.locator('.picker strong').textContent()).not.toBe(name);

    const groups = (await read(page)).channels.length;
    await page.locator('input[name=channels]:checked').focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(async () => (await read(page)).channels.length).toBeGreaterThan(8 * groups);
  });

  test('the wheel zooms over the photo and a drag moves the crop', async () => {
    const { page } = visited;
    const box = page.locator('.box');
    await page.locator('.frame').hover();
    await page.mouse.wheel(0, -500);
    await expect.poll(() => page.locator('#zoom').inputValue().then(Number)).toBeGreaterThan(1.4);
    const before = (await box.boundingBox()) as { x: number; y: number; width: number; height: number };
    await page.mouse.move(before.x + before.width / 2, before.y + before.height / 2);
    await page.mouse.down();
    await page.mouse.move(before.x + before.width / 2 + 40, before.y + before.height / 2, { steps: 4 });
    await page.mouse.up();
    const after = (await box.boundingBox()) as { x: number };
    expect(after.x - before.x).toBeGreaterThan(5);
    await settled(page);
  });

  test('a fast slider ends on its last value', async () => {
    const { page } = visited;
    await page.evaluate(() => {
      const slider = document.querySelector<HTMLInputElement>('#zoom') as HTMLInputElement;
      for (let step = 0; step <= 150; step++) {
        slider.value = String(1 + step / 100);
        slider.dispatchEvent(new Event('input', { bubbles: true }));
      }
    });
    await settled(page);
    expect((await read(page)).now).toContain('2.50×');
  });
});

test('every view fits a phone: nothing is wider than the screen', async () => {
  const site = await openSite('none');
  const { page, problems } = await visit(site, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  for (const view of VIEWS.filter((view) => view !== 'tour')) {
    await page.goto(`${site.url}#/${view}`);
    await page.locator(`nav a[aria-current=page][href^="#/${view}"]`).waitFor();
    await settled(page);
    await page.locator('.answer section').first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth), view).toBe(390);
    expect(await page.getByRole('button', { name: 'Undo', exact: true }).isVisible(), view).toBe(true);
    expect(await page.getByRole('button', { name: 'Copy link' }).isVisible(), view).toBe(true);
  }
  expect(problems).toEqual([]);
  await site.close();
});
