/** The site as it is published: below a path, offline, under its security policy. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, visit, type Site } from './browser';
import { read, settled, zoomTo } from './explorer';
import { serve } from './server';

const www = fileURLToPath(new URL('..', import.meta.url));
let folder: string;
let served: Awaited<ReturnType<typeof serve>>;
let site: Site;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sklens-'));
  const vite = join(www, 'node_modules/vite/bin/vite.js');
  const env = { ...process.env, VITE_OFFLINE: '1', SKLENS_MIRRORS: 'https://weights.example/models/', VITEST: undefined };
  await promisify(execFile)(process.execPath, [vite, 'build', '--config', 'vite.config.ts', '--outDir', folder], { cwd: www, env });
  // As of a host that sends no policy.
  served = await serve(pathToFileURL(`${folder}/`), '/some/where/', {});
  site = { ...(await openSite('none')), url: served.url };
});
afterAll(async () => {
  await site?.close();
  served?.server.close();
  await rm(folder, { recursive: true, force: true });
});

test('tells the licences of the libraries in the page and in the engine', async () => {
  const text = await readFile(join(folder, 'third-party.txt'), 'utf8');
  for (const library of ['svelte', '@observablehq/plot', '@noble/hashes', 'wgpu', 'safetensors', 'zune-jpeg']) expect(text).toContain(`${library} `);
  const { page } = await visit(site);
  const link = page.getByRole('link', { name: 'Licences of the libraries in this page' });
  expect(await link.getAttribute('href')).toBe('./third-party.txt');
  await page.close();
});

test('opened from a disk it says in both languages that it needs a server; served it does not', async () => {
  const page = await site.browser.newPage();
  await page.goto(pathToFileURL(join(folder, 'index.html')).href);
  const [english, japanese] = [page.getByText(/it needs a server, for example cargo xtask serve/), page.getByText(/サーバーが必要です/)];
  for (const text of [english, japanese]) await text.waitFor({ timeout: 20_000 });
  expect([await english.getAttribute('lang'), await japanese.getAttribute('lang')]).toEqual(['en', 'ja']);
  await page.goto(served.url);
  await settled(page);
  expect(await page.locator('#waiting').count()).toBe(0);
  await page.close();
});

test('works below a path, then without a server', async () => {
  const { page, problems } = await visit(site);
  await settled(page);
  const before = await read(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await expect.poll(() => page.evaluate(() => Boolean(navigator.serviceWorker.controller))).toBe(true);
  await new Promise((closed) => {
    served.server.close(closed);
    served.server.closeAllConnections();
  });
  await page.reload();
  await settled(page);
  expect(await read(page)).toEqual(before);
  await zoomTo(page, 1.7);
  expect((await read(page)).now).toContain('1.70×');
  const policy = await page.evaluate(async () => {
    const script = document.querySelector<HTMLScriptElement>('script[type=module]')?.src as string;
    return (await fetch(script)).headers.get('content-security-policy');
  });
  await page.getByRole('combobox', { name: 'Language' }).selectOption('ja');
  await page.getByRole('heading', { name: 'エンジンとネットワーク' }).waitFor();
  expect(policy, 'the service worker binds the engine\'s worker').toContain("default-src 'none'");
  expect(problems).toEqual([]);
  await page.close();
});

test('can be installed, its names carry hashes, its copies unpack to the originals', async () => {
  for (const language of ['en', 'ja']) {
    const text = await readFile(join(folder, `manifest.${language}.webmanifest`), 'utf8');
    const manifest = JSON.parse(text) as { lang: string; start_url: string; icons: { src: string }[] };
    expect([manifest.lang, manifest.start_url]).toEqual([language, './']);
    await readFile(join(folder, manifest.icons[0]?.src as string));
  }
  const assets = await readdir(join(folder, 'assets'));
  const plain = assets.filter((name) => !/\.(gz|br)$/.test(name));
  expect(plain.every((name) => /-[\w-]{8}\.\w+$/.test(name))).toBe(true);
  for (const name of plain) {
    const bytes = await readFile(join(folder, 'assets', name));
    expect(gunzipSync(await readFile(join(folder, 'assets', `${name}.gz`))).equals(bytes)).toBe(true);
    expect(brotliDecompressSync(await readFile(join(folder, 'assets', `${name}.br`))).equals(bytes)).toBe(true);
  }
  const html = await readFile(join(folder, 'index.html'), 'utf8');
  expect(html).not.toMatch(/(src|href)="\//);
  expect(html).toMatch(/connect-src &#39;self&#39; https:\/\/huggingface\.co .*https:\/\/weights\.example; worker-src/);
  expect(await readFile(join(folder, '_headers'), 'utf8')).toContain("default-src 'none'");
});
