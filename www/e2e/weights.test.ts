/** Other people's weights files in the browser. `SKLENS_WEIGHTS` is the folder of the authors' `.caffemodel`s. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { NetworkDescription } from '../api/types';
import { openSite, visit, type Site } from './browser';
import { dropPath, fileIn, settled } from './explorer';
import { deviation, input, tensorsIn } from './golden';

const authors = process.env.SKLENS_WEIGHTS;
const folder = new URL('../../tests/fixtures/weights/', import.meta.url);
const fixture = (name: string) => fileURLToPath(new URL(name, folder));
/** `small.toml`. */
const small: NetworkDescription = {
  sknet: { depths: [1, 1, 1, 1], width: 16, out_width: 32, groups: 4, input_size: [64, 64], classes: 10 },
};

let site: Site;
let page: Page;
let problems: string[];
/** Requests for the module of readers. */
const asked: string[] = [];
beforeAll(async () => {
  site = await openSite('none');
  ({ page, problems } = await visit(site));
  page.context().on('request', (request) => request.url().includes('readers') && asked.push(request.url()));
  await settled(page);
});
afterAll(async () => {
  await site.close();
  expect(problems).toEqual([]);
});

interface Wanted {
  model?: NetworkDescription;
  shape: readonly [number, number, number, number];
}

/** Logits of the generated input from a file on disk. */
async function logits(path: string, { model, shape }: Wanted): Promise<number[]> {
  const file = await fileIn(page, path);
  const values = [...input(shape.reduce((a, b) => a * b, 1))];
  return file.evaluate(
    async (weights, { model, shape, values }) => {
      const session = await window.sklens.open({ ...(model ? { model } : {}), weights, backend: 'cpu' });
      const results = await session.analyze({ data: new Float32Array(values), shape });
      session.close();
      return results.flatMap(({ logits }) => [...logits]);
    },
    { model, shape, values },
  );
}

const inspect = async (path: string) => (await fileIn(page, path)).evaluate((file) => window.sklens.inspect(file));
const network = () => page.locator('#engine dd').first().textContent();
const dialog = () => page.getByRole('dialog', { name: 'Networks' });

test('the module of readers is loaded with the first file that needs it', async () => {
  expect(asked).toEqual([]);
  await inspect(fixture('small.pth'));
  expect(asked.join(' ')).toContain('.wasm');
});

test.each(['small.safetensors', 'small.pth'])('%s gives timm’s logits', async (name) => {
  const { tensors } = await tensorsIn(new URL('small.logits.safetensors', folder));
  const found = await logits(fixture(name), { model: small, shape: [2, 3, 64, 77] });
  expect(deviation(found, tensors.logits as Float32Array)).toBeLessThan(1e-4);
});

test('inspect names the set, the tensors and what differs from the closest network', async () => {
  for (const name of ['views.pth', 'views.legacy.pth']) {
    const { format, set, tensors, recognised, candidates } = await inspect(fixture(name));
    expect({ format, set, recognised, candidates }, name).toEqual({ format: 'pytorch', set: 'model_ema', recognised: null, candidates: [] });
    expect(tensors.length).toBeGreaterThan(3);
    expect(tensors[0]).toMatchObject({ name: expect.any(String), dtype: expect.any(String), shape: expect.any(Array) });
  }
  const { mismatches, closest } = await inspect(fixture('small.pth'));
  expect(closest).toMatch(/^sk/);
  expect(mismatches).toContainEqual(expect.stringMatching(/^wrong shape: layer1\.0\.conv1\.conv\.weight is \[16, 64, 1, 1\]/));
});

test('programs, modules and other files are refused by name', async () => {
  const message = (name: string) => inspect(fixture(name)).then(String, (error: Error) => error.message);
  expect(await message('script.pt')).toContain('TorchScript');
  expect(await message('module.pth')).toContain('torch.nn.modules.activation.ReLU');
  expect(await message('small.toml')).toContain('safetensors');
});

test('a dropped file that fits nothing is compared in full, and the network before still runs', async () => {
  const before = await network();
  await dropPath(page, fixture('small.pth'));
  const report = dialog().locator('.misfit');
  await report.waitFor();
  const count = Number(/(\d+) tensors differ/.exec((await report.textContent()) ?? '')?.[1]);
  const lines = ((await report.locator('pre').textContent()) ?? '').split('\n');
  expect(count).toBeGreaterThan(100);
  expect(lines).toHaveLength(count);
  await page.getByText('Which network is “small.pth” for?').waitFor();
  await page.keyboard.press('Escape');
  expect(await network()).toBe(before);
  await settled(page);
});

describe.skipIf(!authors)('the authors’ files', () => {
  const path = (name: string) => join(authors as string, name);

  test.each(['sknet50.caffemodel', 'sknet50.v1.caffemodel'])('%s is recognised and gives the golden’s logits', async (name) => {
    const { format, recognised, mismatches } = await inspect(path(name));
    expect({ format, recognised, mismatches }).toEqual({ format: 'caffe', recognised: 'sknet50_caffe', mismatches: [] });
    const golden = await tensorsIn(new URL('../../tests/goldens/sknet50_caffe.safetensors', import.meta.url));
    const { shape } = JSON.parse(golden.metadata.golden as string) as Wanted;
    expect(deviation(await logits(path(name), { shape }), golden.tensors.logits as Float32Array)).toBeLessThan(1e-4);
  });

  test('dropped on the page one predicts without a question', async () => {
    await dropPath(page, path('sknet50.caffemodel'));
    await page.locator('#engine').getByText('sknet50_caffe', { exact: true }).waitFor();
    await settled(page);
    expect(await dialog().isVisible()).toBe(false);
    expect(await page.locator('.look ol li').count()).toBe(5);
    expect(await page.locator('.look ol li').first().getAttribute('title')).not.toMatch(/^class /);
  });
});

test('the authors’ files are tested in the full run', () => {
  expect(process.env.SKLENS_URL === undefined || authors !== undefined).toBe(true);
});
