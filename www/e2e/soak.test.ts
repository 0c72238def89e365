/**
 * Many analyses and changes of network in one page: nothing is lost and memory stays flat. `SKLENS_SOAK` holds how many:
 * analyses on the CPU, on WebGPU, changes of network (default 150,15,12); the figures are printed.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { openSite, visit, type Gpu, type Site } from './browser';
import { settled } from './explorer';

const [analyses, onGpu, changes] = (process.env.SKLENS_SOAK ?? '150,15,12').split(',').map(Number) as [number, number, number];
const hours = 3_600_000;

/** MiB in the pages' and the GPU's processes: JavaScript's heap, wasm's memory and, on a software adapter, GPU buffers. */
async function memory(site: Site): Promise<number> {
  const control = await site.browser.newBrowserCDPSession();
  const { processInfo } = await control.send('SystemInfo.getProcessInfo');
  await control.detach();
  const sizes = await Promise.all(
    processInfo
      .filter(({ type }) => /renderer|gpu/i.test(type))
      .map(({ id }) => readFile(`/proc/${id}/status`, 'utf8').then((status) => Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]), () => 0)),
  );
  return sizes.reduce((sum, size) => sum + size, 0) / 1024;
}

interface Counts {
  done: number;
  lost: number;
}

/** `count` analyses of gallery photos in turn at zooms in turn; each tenth is of a view whose answer is known. */
function analyse(page: Page, backend: 'cpu' | 'gpu', count: number): Promise<Counts> {
  return page.evaluate(
    async ({ backend, count }) => {
      const { sklens } = window;
      const files = ((await (await fetch('gallery/gallery.json')).json()) as { file: string }[]).map(({ file }) => file);
      const photos = await Promise.all(files.map(async (file) => (await fetch(`gallery/${file}`)).blob()));
      const kept = window as unknown as { soak?: Record<string, { session: Awaited<ReturnType<typeof sklens.open>>; known: number[] }> };
      kept.soak ??= {};
      if (!kept.soak[backend]) {
        const session = await sklens.open({ model: sklens.bundledModels()[0] as string, backend });
        kept.soak[backend] = { session, known: [...((await session.analyze(photos[0] as Blob))[0]?.logits ?? [])] };
      }
      const { session, known } = kept.soak[backend];
      let lost = 0;
      for (let turn = 0; turn < count; turn++) {
        const checked = turn % 10 === 0;
        const photo = photos[checked ? 0 : turn % photos.length] as Blob;
        const logits = await session.analyze(photo, { scales: [checked ? 1 : 1 + (turn % 21) / 10] }).then(
          ([result]) => result?.logits ?? [],
          () => [],
        );
        const right = logits.length === known.length && logits.every((value, at) => Number.isFinite(value) && (!checked || Math.abs(value - (known[at] as number)) < 1e-3));
        if (!right) lost++;
      }
      return { done: count, lost };
    },
    { backend, count },
  );
}

/** `count` networks opened one after the other, each with a look at one small picture. */
function change(page: Page, count: number): Promise<Counts> {
  return page.evaluate(async (count) => {
    const { sklens } = window;
    const small = sklens.models().filter(({ params }) => params < 8e6);
    let lost = 0;
    for (let turn = 0; turn < count; turn++) {
      try {
        const session = await sklens.open({ model: small[turn % small.length]?.name as string, random: true, backend: 'cpu' });
        const [result] = await session.analyze({ data: new Float32Array(3 * 64 * 64).fill(0.1), shape: [1, 3, 64, 64] });
        if (!result?.logits.every(Number.isFinite)) lost++;
        session.close();
      } catch {
        lost++;
      }
    }
    return { done: count, lost };
  }, count);
}

test.each<[string, Gpu, number, (page: Page, count: number) => Promise<Counts>]>([
  ['analyses on the CPU', 'none', analyses, (page, count) => analyse(page, 'cpu', count)],
  ['analyses on WebGPU', 'webgpu', onGpu, (page, count) => analyse(page, 'gpu', count)],
  ['changes of network', 'none', changes, change],
])(
  '%s',
  async (name, gpu, count, work) => {
    const site = await openSite(gpu);
    const { page, problems } = await visit(site);
    await settled(page);
    // The first part fills caches: photos that are kept, wasm's memory, pipelines.
    const warmUp = await work(page, Math.ceil(count / 4));
    const before = await memory(site);
    const rest = await work(page, count - warmUp.done);
    const after = await memory(site);
    console.log(`${name}: ${count}, lost ${warmUp.lost + rest.lost}, MiB after a quarter and at the end ${before.toFixed(0)}, ${after.toFixed(0)}`);
    expect(warmUp.lost + rest.lost).toBe(0);
    expect(after).toBeLessThan(before * 1.2 + 100);
    expect(problems).toEqual([]);
    await site.close();
  },
  2 * hours,
);
