/** What the page's process holds while large weights load. Linux tells the highest level; `SKLENS_WEIGHTS` has the authors' file. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, visit } from './browser';
import { pth, randomWeights } from './checkpoint';
import { fileIn, settled } from './explorer';

const MIB = 1 << 20;
/** Beside the weights themselves: the engine, the tensor that is being packed, and what the browser has not freed yet. */
const ALLOWED = 64;

const authors = process.env.SKLENS_WEIGHTS;

/** Bytes that a process holds, and held at most since `clear`. */
async function memory(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}
const clear = (pid: number) => writeFile(`/proc/${pid}/clear_refs`, '5');

/** Waits until the page has looked at every photo of its gallery, the last one last; that too takes memory. */
async function restOfGallery(page: Page): Promise<void> {
  await page.locator('.row li button').last().click();
  await page.locator('.following', { hasText: /\d/ }).waitFor({ timeout: 120_000 });
  await settled(page);
}

/** Where the file of each format is, all with SKNet-50's weights, 110 MB. */
async function fileOf(format: 'caffemodel' | 'safetensors' | 'pth', folder: string): Promise<string> {
  if (format === 'caffemodel') return join(authors as string, 'sknet50.caffemodel');
  const path = join(folder, `sknet50.${format}`);
  const safetensors = await randomWeights('sknet50');
  await writeFile(path, format === 'pth' ? pth(safetensors) : safetensors);
  return path;
}

describe.runIf(existsSync('/proc/self/clear_refs'))('loading holds the weights and 64 MiB', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sklens-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each(authors ? (['caffemodel', 'safetensors', 'pth'] as const) : (['safetensors', 'pth'] as const))('of a .%s', async (format) => {
    const path = await fileOf(format, folder);
    const site = await openSite('none');
    const { page, problems } = await visit(site);
    await settled(page);
    await restOfGallery(page);
    const file = await fileIn(page, path);
    const system = await site.browser.newBrowserCDPSession();
    const { processInfo } = await system.send('SystemInfo.getProcessInfo');
    const levels = await Promise.all(
      processInfo.filter(({ type }) => type === 'renderer').map(async ({ id }) => ({ id, held: await memory(id, 'VmRSS') })),
    );
    // The page's renderer is the largest; others are spares.
    const [renderer] = levels.sort((a, b) => b.held - a.held);
    if (!renderer) throw new Error('no renderer');
    await clear(renderer.id);
    const before = await memory(renderer.id, 'VmRSS');
    const params = await file.evaluate(async (weights) => {
      const session = await window.sklens.open({ weights, backend: 'cpu' });
      session.close();
      return session.info.params;
    });
    expect(params).toBe(27_479_784);
    const beyond = ((await memory(renderer.id, 'VmHWM')) - before - (await stat(path)).size) / MIB;
    console.log(`peak while loading ${path}: the weights and ${beyond.toFixed(1)} MiB`);
    expect(beyond).toBeLessThan(ALLOWED);
    expect(problems).toEqual([]);
    await site.close();
  });
});
