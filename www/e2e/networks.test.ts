import { readFile, readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { openSite, visit, type Site } from './browser';
import { drop, settled, zoomTo } from './explorer';
import { deviation, distance, goldens, input } from './golden';

/** Allowed for logits, relative to the largest, and for attention, by the precision of the weights in memory. */
const tolerances = { f32: 1e-4, f16: 2e-3 };
const alsoInHalves = ['sknet50', 'sk_shufflenet_v2_x1_0'];

let site: Site;
beforeAll(async () => {
  site = await openSite('none');
});
afterAll(() => site.close());

test('every network runs in the page and computes logits and attention as PyTorch does', async () => {
  const { page, problems } = await visit(site);
  const models = await page.evaluate(() => window.sklens.models());
  expect(models.length).toBeGreaterThan(25);
  const files = await goldens();
  for (const { name, classes } of models) {
    const file = files.find((golden) => golden.network === name && golden.classes === classes);
    if (!file) throw new Error(`There is no golden for ${name} with ${classes} classes.`);
    const { shape, logits, attention } = file;
    const values = [...input(shape.reduce((a, b) => a * b, 1))];
    for (const precision of alsoInHalves.includes(name) ? (['f32', 'f16'] as const) : (['f32'] as const)) {
      const found = await page.evaluate(
        async ({ model, shape, values, precision }) => {
          const session = await window.sklens.open({ model, random: true, backend: 'cpu', weightPrecision: precision });
          const results = await session.analyze({ data: new Float32Array(values), shape });
          session.close();
          const units = results[0]?.units.map(({ name }, at) => [name, results.flatMap(({ units }) => [...(units[at]?.attention ?? [])])] as const);
          return { logits: results.flatMap(({ logits }) => [...logits]), attention: Object.fromEntries(units ?? []) };
        },
        { model: name, shape, values, precision },
      );
      expect(deviation(found.logits, logits), `${name}, ${precision}`).toBeLessThan(tolerances[precision]);
      expect(Object.keys(found.attention).sort(), name).toEqual(Object.keys(attention).sort());
      for (const [unit, expected] of Object.entries(attention)) {
        expect(distance(found.attention[unit], expected), `${name}, ${unit}, ${precision}`).toBeLessThan(tolerances[precision]);
      }
    }
  }
  expect(problems).toEqual([]);
  await page.close();
}, 600_000);

describe('the dialog', () => {
  let page: Page;
  let problems: string[];
  beforeAll(async () => {
    ({ page, problems } = await visit(site));
    await settled(page);
  });
  afterAll(async () => {
    await page.close();
    expect(problems).toEqual([]);
  });
  const dialog = () => page.getByRole('dialog', { name: 'Networks' });
  const open = async () => {
    if (!(await dialog().isVisible())) await page.getByRole('button', { name: 'Change the network' }).last().click();
  };

  test('switches by keyboard, keeps photo and zoom, and marks random weights', async () => {
    await zoomTo(page, 1.4);
    const photo = await page.locator('.frame img').getAttribute('src');
    const curves = () => page.locator('section[aria-labelledby=trend] figcaption').allTextContents();
    await expect.poll(async () => (await curves()).join(), { timeout: 60_000 }).not.toBe('');
    const before = await curves();
    await open();
    await page.getByRole('searchbox').fill('x0_5 paper');
    await page.getByRole('radio', { name: 'sk_shufflenet_v2_x0_5' }).focus();
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Run with random weights' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => dialog().isVisible(), { timeout: 60_000 }).toBe(false);
    // The curves of the network before are gone at once.
    expect(await curves()).not.toEqual(before);
    await settled(page);
    expect(await page.locator('#engine dd').first().textContent()).toBe('sk_shufflenet_v2_x0_5');
    expect(await page.locator('.frame img').getAttribute('src')).toBe(photo);
    expect(await page.locator('#zoom').inputValue()).toBe('1.4');
    expect(await page.locator('p.random').textContent()).toContain('mean nothing');
    expect(await page.locator('.look ol li').first().getAttribute('title')).toMatch(/^class \d+$/);
  });

  test('sorts every column both ways and says so', async () => {
    await open();
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'Sort by Multiply-adds' }).click();
    expect(await page.locator('th[aria-sort=ascending]').textContent()).toContain('Multiply-adds');
    expect(await page.locator('dialog tbody th').first().textContent()).toContain('shufflenet_v2_x0_5');
    await page.getByRole('button', { name: 'Sort by Multiply-adds' }).click();
    expect(await page.locator('dialog tbody th').first().textContent()).toContain('sknet101');
    const row = page.locator('dialog tbody tr', { hasText: 'skresnext50_32x4d' });
    expect(await row.textContent()).toContain('27,479,784');
    expect(await row.textContent()).toContain('80.168');
  });

  test('a file that does not fit is reported in full and the network before stays', async () => {
    const before = await page.locator('#engine dd').first().textContent();
    await open();
    await page.getByRole('radio', { name: 'skresnet18' }).check();
    const chooser = page.getByLabel('Open a weights file as skresnet18');
    await chooser.setInputFiles({ name: 'other.safetensors', mimeType: '', buffer: await bundledFile() });
    const report = page.locator('dialog pre');
    await report.waitFor();
    const text = await report.textContent();
    expect(text).toContain('missing: conv1.weight');
    expect(text).toContain('surplus: stage4.3');
    expect(await page.locator('#engine dd').first().textContent()).toBe(before);
    await page.keyboard.press('Escape');
    await zoomTo(page, 1.6);
  });

  test('a dropped file of a known network runs without a question', async () => {
    await drop(page, await bundledFile(), 'mine.safetensors', '');
    await page.locator('#engine').getByText('sk_shufflenet_v2_x1_0', { exact: true }).waitFor();
    expect(await dialog().isVisible()).toBe(false);
    await settled(page);
    expect(await page.locator('p.random').count()).toBe(0);
    expect(await page.locator('.look ol li').first().getAttribute('title')).not.toMatch(/^class /);
  });

  test('the builder counts at once, refuses with the reason beside the field, and runs', async () => {
    await open();
    await page.getByRole('radio', { name: 'Build your own' }).check();
    const outcome = page.locator('.outcome');
    await outcome.getByText('27,479,784 parameters').first().waitFor();
    const width = page.getByLabel('Branch width of the first stage');
    await width.fill('100');
    await page.locator('.reason').waitFor();
    await width.fill('64');
    await page.getByLabel('Output width of the first stage').fill('128');
    await page.getByLabel('Reduction r').fill('0');
    await page.locator('label', { hasText: 'Reduction r' }).getByText('r is 0').waitFor();
    await page.getByLabel('Reduction r').fill('16');
    await page.getByLabel('Units per stage').fill('1 1');
    await page.getByLabel('Classes').fill('7');
    await page.getByLabel('Input side').fill('64');
    await expect.poll(() => page.getByRole('button', { name: 'Run with random weights' }).isEnabled()).toBe(true);
    const [download] = await Promise.all([page.waitForEvent('download'), dialog().getByRole('button', { name: 'Save as JSON' }).click()]);
    const saved = JSON.parse(await readFile(await download.path(), 'utf8'));
    expect(saved).toMatchObject({ sknet: { depths: [1, 1], width: 64, out_width: 128, classes: 7, input_size: [64, 64] } });
    await page.getByRole('button', { name: 'Run with random weights' }).click();
    await expect.poll(() => dialog().isVisible(), { timeout: 60_000 }).toBe(false);
    await settled(page);
    expect(await page.locator('.look ol li').count()).toBe(5);
    expect(await page.locator('.picker input').count()).toBe(2);
  });
});

async function bundledFile(): Promise<Buffer> {
  const models = new URL('../../models/', import.meta.url);
  const name = (await readdir(models)).find((file) => file.startsWith('sk_shufflenet_v2_x1_0.'));
  return readFile(new URL(name as string, models));
}
