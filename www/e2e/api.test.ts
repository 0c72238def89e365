import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { openSite, visit, type Site } from './browser';
import { galleryPhoto, galleryFiles, settled } from './explorer';

/** `window.sklens` in a browser without WebGPU. */
describe('window.sklens', () => {
  let site: Site;
  let page: Page;
  let photo: string;
  beforeAll(async () => {
    site = await openSite('none');
    page = (await visit(site)).page;
    await settled(page);
    photo = (await galleryPhoto((await galleryFiles())[0] as string)).toString('base64');
    await page.evaluate((base64) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      Object.assign(window, {
        photo: new Blob([bytes], { type: 'image/jpeg' }),
        model: window.sklens.bundledModels()[0],
        codeOf: (promise: Promise<unknown>) =>
          promise.then(
            () => 'resolved',
            (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
          ),
      });
    }, photo);
  });
  afterAll(() => site.close());

  test('lists the presets without waiting', async () => {
    const models = await page.evaluate(() => window.sklens.models());
    const find = (name: string) => models.find((model) => model.name === name);
    expect(find('sknet50')).toMatchObject({ params: 27_479_784, macs: 4_462_710_784, inputSize: [224, 224] });
    expect(find('sknet50')?.units).toHaveLength(16);
    expect(find('sk_shufflenet_v2_x1_0')).toMatchObject({ params: 2_503_044 });
    expect(find('sk_shufflenet_v2_x1_0')?.units[0]).toMatchObject({
      name: 'SK_2_1',
      branches: [
        { kernel: 3, dilation: 1, size: 3 },
        { kernel: 3, dilation: 2, size: 5 },
      ],
    });
  });

  test('overrides attention in one call, returns tensors and receptive fields', async () => {
    const found = await page.evaluate(async () => {
      const { sklens, photo, model, codeOf } = window as unknown as Setting;
      const session = await sklens.open({ model, backend: 'cpu' });
      const [plain] = await session.analyze(photo);
      if (!plain) throw new Error('no result');
      const frozen = Object.fromEntries(plain.units.map(({ name, attention }) => [name, attention]));
      const overridden = {
        largest: await session.analyze(photo, { override: { '*': 'largest' } }),
        swap: await session.analyze(photo, { override: { SK_2_1: ['swap', { off: [0] }] }, tensors: ['conv1.0'] }),
        frozen: await session.analyze(photo, { scales: [2], override: frozen }),
        after: await session.analyze(photo),
      };
      const unknown = await codeOf(session.analyze(photo, { override: { SK_9_9: 0.5 } }));
      const short = await codeOf(session.analyze(photo, { override: { SK_2_1: new Float32Array(3) } }));
      session.close();
      const numbers = ([result]: typeof overridden.after) => ({
        logits: [...(result?.logits ?? [])],
        attention: result?.units.map(({ attention }) => [...attention]) ?? [],
        fields: result?.units.map(({ receptiveField }) => receptiveField) ?? [],
        differences: result?.units.map(({ meanDifference }) => meanDifference) ?? [],
        tensors: Object.entries(result?.tensors ?? {}).map(([name, { shape, data }]) => ({ name, shape, length: data.length })),
      });
      return {
        plain: numbers([plain]),
        largest: numbers(overridden.largest),
        swap: numbers(overridden.swap),
        frozen: numbers(overridden.frozen),
        after: numbers(overridden.after),
        unknown,
        short,
      };
    });
    expect(new Set(found.largest.differences)).toEqual(new Set([1]));
    for (const { expected, largest } of found.largest.fields) expect(expected).toBeCloseTo(largest, 3);
    const [before, swapped] = [found.plain.attention[0] ?? [], found.swap.attention[0] ?? []];
    const half = before.length / 2;
    expect([swapped[0], swapped[half]]).toEqual([0, 0]);
    // Keeping a tensor changes the plan, and with it the order of a sum.
    expect(swapped[1]).toBeCloseTo(before[half + 1] as number, 5);
    expect(swapped[half + 1]).toBeCloseTo(before[1] as number, 5);
    expect(found.swap.tensors).toMatchObject([{ name: 'conv1.0' }]);
    expect(found.swap.tensors[0]?.length).toBe(found.swap.tensors[0]?.shape.reduce((a, b) => a * b, 1));
    expect(found.frozen.attention).toEqual(found.plain.attention);
    expect(found.after.logits).toEqual(found.plain.logits);
    expect(found.unknown).toContain('bad-option');
    expect(found.unknown).toContain('SK_9_9');
    expect(found.short).toContain('SK_2_1');
  });

  test('times every layer against the roofline', async () => {
    const benchmark = await page.evaluate(async () => {
      const { sklens, model } = window as unknown as Setting;
      const session = await sklens.open({ model, backend: 'cpu' });
      const benchmark = await session.benchmark({ size: 64 });
      session.close();
      return benchmark;
    });
    expect(benchmark).toMatchObject({ size: [64, 64], batch: 1 });
    expect(benchmark.roofline?.gflops).toBeGreaterThan(0);
    expect(benchmark.roofline?.gigabytes).toBeGreaterThan(0);
    expect(benchmark.layers.length).toBeGreaterThan(50);
    for (const { milliseconds, rooflineMilliseconds } of benchmark.layers) {
      expect(milliseconds).toBeGreaterThan(0);
      expect(rooflineMilliseconds).toBeGreaterThan(0);
    }
  });

  test('analyses Blob, ImageBitmap, ImageData and tensors; results keep the order of scales', async () => {
    const found = await page.evaluate(async () => {
      const { sklens, photo, model } = window as unknown as Setting;
      const session = await sklens.open({ model, backend: 'cpu' });
      const bitmap = await createImageBitmap(photo);
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d') as OffscreenCanvasRenderingContext2D;
      context.drawImage(bitmap, 0, 0);
      const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
      const scales = [2, 1];
      const results = [];
      for (const image of [photo, bitmap, pixels]) results.push(await session.analyze(image, { scales }));
      const [h, w] = session.info.inputSize;
      const tensors = await session.analyze({ data: new Float32Array(2 * 3 * h * w).fill(0.5), shape: [2, 3, h, w] });
      const info = session.info;
      session.close();
      const plain = (result: (typeof tensors)[number]) => ({
        scale: result.scale,
        logits: [...result.logits],
        sums: result.units.map(({ attention }) => {
          const half = attention.length / 2;
          return Math.max(...attention.subarray(0, half).map((value, c) => Math.abs(value + (attention[half + c] as number) - 1)));
        }),
      });
      return { info, results: results.map((list) => list.map(plain)), tensors: tensors.map(plain) };
    });
    expect(found.info).toMatchObject({ backend: 'cpu', classes: 200, params: 1_683_044 });
    const [fromBlob, fromBitmap, fromPixels] = found.results;
    for (const list of found.results) expect(list.map(({ scale }) => scale)).toEqual([2, 1]);
    expect(fromBitmap).toEqual(fromPixels);
    // The browser's JPEG decoder may differ from ours by a little.
    const distance = (a: number[] = [], b: number[] = []) => Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? NaN))));
    expect(distance(fromBlob?.[0]?.logits, fromBitmap?.[0]?.logits)).toBeLessThan(0.5);
    expect(distance(fromBlob?.[0]?.logits, fromBlob?.[1]?.logits)).toBeGreaterThan(0.5);
    expect(Math.max(...(fromBlob?.flatMap(({ sums }) => sums) ?? [NaN]))).toBeLessThan(1e-5);
    expect(found.tensors).toHaveLength(2);
    expect(found.tensors[0]?.logits).toEqual(found.tensors[1]?.logits);
  });

  test('errors carry their code and help', async () => {
    const codes = await page.evaluate(async () => {
      const { sklens, photo, model, codeOf } = window as unknown as Setting;
      const session = await sklens.open({ model, backend: 'cpu' });
      const nonsense = new Blob([new Uint8Array(1000)]);
      const before = [
        await codeOf(sklens.open({ model: 'alexnet' })),
        await codeOf(sklens.open({ model: 'sknet50' })),
        await codeOf(sklens.open({ model, weights: nonsense })),
        await codeOf(sklens.open({ model, weights: 'nowhere.safetensors' })),
        await codeOf(sklens.open({ model, backend: 'gpu' })),
        await codeOf(session.analyze(nonsense)),
        await codeOf(session.analyze(photo, { scales: [0.5] })),
        await codeOf(session.analyze(photo, { size: 4000 })),
        await codeOf(session.analyze(photo, { center: [NaN, 0] })),
        await codeOf(session.analyze(photo, { signal: AbortSignal.abort() })),
      ];
      const usable = await codeOf(session.analyze(photo));
      const pending = [codeOf(session.analyze(photo)), codeOf(session.analyze(photo))];
      session.close();
      return [...before, usable, ...(await Promise.all(pending)), await codeOf(session.analyze(photo))];
    });
    expect(codes.map((code) => code.split(':')[0])).toEqual([
      'unknown-model',
      'no-weights',
      'bad-weights',
      'bad-weights',
      'device-lost',
      'bad-image',
      'bad-option',
      'bad-option',
      'bad-option',
      'aborted',
      'resolved',
      'closed',
      'closed',
      'closed',
    ]);
    expect(codes[0]).toContain('sknet50');
  });
});

test('a GPU process that dies is replaced: the call is repeated and the change told', async () => {
  const site = await openSite('webgpu');
  const { page } = await visit(site);
  await settled(page);
  await page.evaluate(async () => {
    const { sklens } = window;
    const session = await sklens.open({ model: sklens.bundledModels()[0] as string, backend: 'gpu' });
    const image = { data: new Float32Array(3 * 64 * 64).fill(0.25), shape: [1, 3, 64, 64] } as const;
    const logits = async () => [...((await session.analyze(image))[0]?.logits ?? [])];
    const engines: string[] = [];
    session.addEventListener('engine', () => engines.push(session.info.backend));
    Object.assign(window, { logits, engines, before: await logits() });
  });
  const control = await site.browser.newBrowserCDPSession();
  await control.send('Browser.crashGpuProcess').catch(() => undefined);
  const found = await page.evaluate(async () => {
    const { logits, engines, before } = window as unknown as Replaced;
    const after = await logits();
    return { engines, distance: Math.max(...after.map((value, index) => Math.abs(value - (before[index] ?? NaN)))) };
  });
  expect(found.engines).toEqual(['gpu']);
  expect(found.distance).toBeLessThan(1e-4);
  await site.close();
});

/** What that test keeps on the page. */
interface Replaced {
  logits: () => Promise<number[]>;
  engines: string[];
  before: number[];
}

/** What the set-up puts beside `window.sklens`. */
interface Setting {
  sklens: Window['sklens'];
  photo: Blob;
  model: string;
  codeOf: (promise: Promise<unknown>) => Promise<string>;
}

describe('the two engines', () => {
  test('a browser without relaxed SIMD loads the plain module, which gives the same within rounding', async () => {
    const site = await openSite('none');
    const found: { engine: string; modules: string[]; logits: number[] }[] = [];
    for (const knows of [true, false]) {
      const page = await site.browser.newPage();
      if (!knows) {
        await page.route('**/worker-*.js', async (route) => {
          const answer = await route.fetch();
          await route.fulfill({ response: answer, body: `WebAssembly.validate = () => false;\n${await answer.text()}` });
        });
      }
      const modules: string[] = [];
      page.on('request', (request) => /engine.*\.wasm$/.test(request.url()) && modules.push(request.url().split('/').at(-1) as string));
      await page.goto(site.url);
      await settled(page);
      const { engine, logits } = await page.evaluate(async () => {
        const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
        const photo = await (await fetch('gallery/fig.jpg')).blob();
        const [result] = await session.analyze(photo);
        session.close();
        return { engine: session.info.adapter, logits: [...(result?.logits ?? [])] };
      });
      found.push({ engine, modules: [...new Set(modules)], logits });
      await page.close();
    }
    await site.close();
    const [relaxed, plain] = found;
    expect(relaxed?.engine).toContain('relaxed SIMD');
    expect(plain?.engine).toBe('WebAssembly, SIMD, one thread');
    expect(relaxed?.modules).toEqual([expect.stringMatching(/^engine_relaxed_bg-/)]);
    expect(plain?.modules).toEqual([expect.stringMatching(/^engine_bg-/)]);
    const furthest = Math.max(...(plain?.logits ?? [NaN]).map((value, place) => Math.abs(value - (relaxed?.logits[place] ?? NaN))));
    expect(furthest).toBeLessThan(1e-4);
  });
});
