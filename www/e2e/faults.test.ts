/** What can break under an open page, broken on purpose: it says what happened, keeps what it shows and goes on by itself. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, visit, type Gpu, type Site } from './browser';
import { attentionChange, drop, galleryFiles, galleryPhoto, read, runOn, settled, zoomTo } from './explorer';

/** Opening a network anew on a software adapter takes this long at most. */
const PATIENCE = 240_000;

let site: Site;
const opened = (gpu: Gpu) => {
  beforeAll(async () => {
    site = await openSite(gpu);
  });
  afterAll(() => site.close());
};

/** What a visitor chose. */
async function chosen(page: Page) {
  // The page writes its address a moment after the last change.
  await page.waitForTimeout(600);
  return {
    photo: await page.locator('.frame img').getAttribute('alt'),
    zoom: await page.locator('#zoom').inputValue(),
    unit: await page.locator('.picker strong').textContent(),
    network: await page.locator('#engine dd').first().textContent(),
    view: new URL(page.url()).hash,
  };
}

const alert = (page: Page) => page.getByRole('alert');
const backend = (page: Page) => page.locator('#engine [data-backend]').getAttribute('data-backend');
/** Moves the crop, which asks for another analysis. */
const move = async (page: Page, key: 'ArrowLeft' | 'ArrowRight') => {
  await page.getByRole('group', { name: 'The part that the network sees' }).focus();
  await page.keyboard.press(`Shift+${key}`);
};

describe('the process of the GPU', () => {
  opened('webgpu');
  const kill = async () => {
    const control = await site.browser.newBrowserCDPSession();
    // The answer may die with the process.
    await control.send('Browser.crashGpuProcess').catch(() => undefined);
    await control.detach();
  };

  /** Kills it amid runs that follow each other closely, for a single one may be over before the process is. Ends where it began. */
  const killAmidRuns = async (page: Page) => {
    const moves = (async () => {
      for (let step = 0; step < 40; step++) await move(page, step % 2 ? 'ArrowLeft' : 'ArrowRight');
    })();
    await page.waitForTimeout(150);
    await kill();
    await moves;
  };

  test('dies in the middle of a run, then again during the recovery', async () => {
    const { page } = await visit(site);
    await settled(page);
    await zoomTo(page, 2);
    await move(page, 'ArrowLeft');
    await settled(page);
    await runOn(page, 'gpu');
    const [before, kept] = [await read(page), await chosen(page)];

    await killAmidRuns(page);
    await settled(page, PATIENCE);
    expect(await alert(page).textContent()).toMatch(/(lost|GPU failed).*goes on by itself/);
    expect(await backend(page)).toBe('gpu');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    expect(attentionChange(before, await read(page))).toBeLessThan(1.01e-3);
    expect(await chosen(page)).toEqual(kept);

    await killAmidRuns(page);
    for (let again = 0; again < 2; again++) {
      await page.waitForTimeout(700);
      await kill();
    }
    await settled(page, PATIENCE);
    expect(await alert(page).textContent()).toMatch(/lost|GPU failed|no graphics adapter/i);
    const after = await read(page);
    expect(attentionChange(before, after)).toBeLessThan(1.01e-3);
    expect(after.predictions.map(({ label }) => label)).toEqual(before.predictions.map(({ label }) => label));
    expect(await chosen(page)).toEqual(kept);
    await page.close();
  }, 4 * PATIENCE);
});

/** Faults of a GPU, put into a worker before its script: what `fault` names in it happens from then on. The adapter passes for hardware. */
function breakable(): void {
  const scope = globalThis as unknown as Breakable;
  scope.devices = [];
  const { requestAdapter } = GPU.prototype;
  GPU.prototype.requestAdapter = function (options) {
    return scope.fault === 'adapter' ? Promise.resolve(null) : requestAdapter.call(this, options);
  };
  const info = { vendor: '', architecture: '', device: '', description: 'Adapter of the tests', isFallbackAdapter: false, subgroupMinSize: 4, subgroupMaxSize: 4 };
  Object.defineProperty(GPUAdapter.prototype, 'info', { get: () => info });
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    scope.devices.push(device);
    return device;
  };
  const limits = Object.getOwnPropertyDescriptor(GPUDevice.prototype, 'limits')?.get as () => GPUSupportedLimits;
  Object.defineProperty(GPUDevice.prototype, 'limits', {
    get(this: GPUDevice) {
      const small = (name: string) => scope.fault === 'limits' && ['maxBufferSize', 'maxStorageBufferBindingSize'].includes(name);
      return new Proxy(limits.call(this), { get: (own, name) => (small(String(name)) ? 1 << 16 : Reflect.get(own, name, own)) });
    },
  });
  const { createShaderModule, pushErrorScope, popErrorScope } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    return createShaderModule.call(this, scope.fault === 'shader' ? { ...descriptor, code: `${descriptor.code} fn broken( {` } : descriptor);
  };
  const scopes: GPUErrorFilter[] = [];
  GPUDevice.prototype.pushErrorScope = function (filter) {
    scopes.push(filter);
    pushErrorScope.call(this, filter);
  };
  GPUDevice.prototype.popErrorScope = function () {
    const found = popErrorScope.call(this);
    return scopes.pop() === 'out-of-memory' && scope.fault === 'memory' ? Promise.resolve(new GPUOutOfMemoryError('a fault on purpose')) : found;
  };
}

interface Breakable {
  fault?: 'adapter' | 'limits' | 'shader' | 'memory';
  devices: GPUDevice[];
}

describe('a GPU', () => {
  opened('webgpu');

  test.each([
    ['without an adapter any more', 'adapter', /lost|reading results from the GPU failed/, /no graphics adapter/],
    ['with limits that are too small by now', 'limits', /lost|reading results from the GPU failed/, /\d+ bytes/],
    // The adapter was checked before: it is the network's shaders that fail, and the CPU takes over at once.
    ['that compiles no shader any more', 'shader', /refused the network: .*WGSL/, /CPU/],
    // The next thing that takes memory is a run, or a plan that was not needed before.
    ['that runs out of memory', 'memory', /out of memory for the (run|network)/, /out of memory/],
  ] as const)('%s leaves the page on the CPU, with all that it showed', async (_, fault, told, reason) => {
    const { page } = await visit(site, {}, (page) =>
      page.route('**/worker-*.js', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `(${breakable.toString()})();\n${await response.text()}` });
      }),
    );
    await settled(page, PATIENCE);
    expect(await backend(page)).toBe('gpu');
    await zoomTo(page, 2);
    await move(page, 'ArrowLeft');
    await settled(page, PATIENCE);
    const [before, kept] = [await read(page), await chosen(page)];

    await page.workers()[0]?.evaluate((fault) => {
      const scope = globalThis as unknown as Breakable;
      scope.fault = fault;
      // Memory runs out of a device that lives; the other faults are met when it is opened anew.
      if (fault !== 'memory') scope.devices.at(-1)?.destroy();
    }, fault);
    await move(page, 'ArrowRight');
    await alert(page).getByText(/goes on by itself/).waitFor({ timeout: PATIENCE });
    await settled(page, PATIENCE);
    expect(await alert(page).textContent()).toMatch(told);
    expect(await backend(page)).toBe('cpu');
    expect(await page.locator('#engine [data-backend]').textContent()).toMatch(reason);

    await move(page, 'ArrowLeft');
    await settled(page);
    const after = await read(page);
    expect(attentionChange(before, after)).toBeLessThan(1.01e-3);
    expect(after.predictions.map(({ label }) => label)).toEqual(before.predictions.map(({ label }) => label));
    expect(await chosen(page)).toEqual(kept);
    await page.close();
  }, 3 * PATIENCE);
});

describe('without a GPU', () => {
  opened('none');

  test('a worker that dies during an analysis is replaced and the analysis repeated', async () => {
    const { page } = await visit(site);
    await settled(page);
    const [first, second] = await galleryFiles();
    await drop(page, await galleryPhoto(first as string), 'first.jpg', 'image/jpeg');
    await page.locator('.frame img[alt*="first"]').waitFor();
    await settled(page);
    await zoomTo(page, 1.4);

    // The next photo that it reads is its end, and no answer will ever come.
    await page.workers()[0]?.evaluate(() => {
      Blob.prototype.arrayBuffer = () => {
        setTimeout(() => {
          throw new Error('a fault on purpose');
        });
        return new Promise(() => undefined);
      };
    });
    await drop(page, await galleryPhoto(second as string), 'second.jpg', 'image/jpeg');
    await alert(page).getByText('a fault on purpose').waitFor({ timeout: PATIENCE });
    await settled(page);
    expect(await page.locator('.frame img').getAttribute('alt')).toContain('second');
    const repeated = await read(page);

    await drop(page, await galleryPhoto(second as string), 'once more.jpg', 'image/jpeg');
    await page.locator('.frame img[alt*="once more"]').waitFor();
    await settled(page);
    expect(await alert(page).textContent()).toBe('');
    expect(attentionChange(repeated, await read(page))).toBeLessThan(1.01e-3);
    await page.close();
  });

  test('a worker that dies while nothing runs is replaced', async () => {
    const { page } = await visit(site);
    await settled(page);
    await zoomTo(page, 1.6);
    const [before, kept] = [await read(page), await chosen(page)];
    for (const fault of ['one fault', 'another fault']) {
      await page.workers()[0]?.evaluate((message) => {
        setTimeout(() => {
          throw new Error(message);
        });
      }, fault);
      await alert(page).getByText(fault).waitFor({ timeout: PATIENCE });
      await settled(page);
    }
    await move(page, 'ArrowRight');
    await settled(page);
    await move(page, 'ArrowLeft');
    await settled(page);
    expect(attentionChange(before, await read(page))).toBeLessThan(1.01e-3);
    expect(await chosen(page)).toEqual(kept);
    await page.close();
  });

  test('a worker that never answers again is replaced when the time of a call is over', async () => {
    const { page, problems } = await visit(site);
    await settled(page);
    const photo = (await galleryPhoto((await galleryFiles())[0] as string)).toString('base64');
    const session = await page.evaluateHandle(async (base64) => {
      const photo = new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
      const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
      return { session, photo, before: [...((await session.analyze(photo))[0]?.logits ?? [])] };
    }, photo);
    // After its answer the worker turns in circles.
    await page.workers().at(-1)?.evaluate(() => void setTimeout(() => { for (;;); }));
    const found = await session.evaluate(async ({ session, photo, before }) => {
      const message = await session.analyze(photo, { timeout: 2000 }).then(() => 'answered', (error: Error) => error.message);
      const after = (await session.analyze(photo))[0]?.logits ?? [];
      return { message, distance: Math.max(...before.map((value, at) => Math.abs(value - (after[at] ?? NaN)))) };
    });
    expect(found.message).toBe('The engine gave no answer for 2 s.');
    expect(found.distance).toBeLessThan(1e-4);
    expect(problems).toEqual([]);
    await page.close();
  });

  test('a page that is frozen for a while goes on where it was, and no time of its calls has passed', async () => {
    const { page, problems } = await visit(site);
    await settled(page);
    await page.evaluate(async () => {
      const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
      const shape = [1, 3, 224, 224] as const;
      const calls = Array.from({ length: 40 }, () => session.analyze({ data: new Float32Array(3 * 224 * 224), shape }, { timeout: 2000 }));
      Object.assign(window, { calls: Promise.all(calls).then((answers) => answers.length, String) });
    });
    const control = await page.context().newCDPSession(page);
    await page.locator('#zoom').fill('2.3');
    await control.send('Page.setWebLifecycleState', { state: 'frozen' });
    await new Promise((done) => setTimeout(done, 3000));
    await control.send('Page.setWebLifecycleState', { state: 'active' });
    expect(await page.evaluate(() => (window as unknown as { calls: Promise<unknown> }).calls)).toBe(40);
    await settled(page);
    expect((await read(page)).now).toContain('2.30×');
    await zoomTo(page, 1.1);
    expect((await read(page)).now).toContain('1.10×');
    expect(problems).toEqual([]);
    await page.close();
  });
});
