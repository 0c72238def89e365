/** What the page's process holds while large weights load. Linux tells the highest level; `SKLENS_WEIGHTS` has the file. */
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { openSite, visit } from './browser';
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

test.runIf(authors && existsSync('/proc/self/clear_refs'))('loading holds the weights and 64 MiB', async () => {
  const path = join(authors as string, 'sknet50.caffemodel');
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
  await file.evaluate(async (weights) => {
    const session = await window.sklens.open({ weights, backend: 'cpu' });
    session.close();
  });
  const beyond = ((await memory(renderer.id, 'VmHWM')) - before - (await stat(path)).size) / MIB;
  console.log(`peak while loading ${path}: the weights and ${beyond.toFixed(1)} MiB`);
  expect(beyond).toBeLessThan(ALLOWED);
  expect(problems).toEqual([]);
  await site.close();
});
