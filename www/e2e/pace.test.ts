/**
 * How fast the page opens and answers, and that nothing shifts. Times depend on the machine and are printed, not judged;
 * `SKLENS_PACE=../docs/pace.md` writes them, with those of a collection too if `SKLENS_PHOTOS` names a folder of JPEGs.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from './browser';
import { drop, read, saved, settled, zoomTo } from './explorer';

/** Half of what Lighthouse calls good. */
const SHIFT = 0.05;
const VISITS = 5;
const SECONDS = 3;
const photos = process.env.SKLENS_PHOTOS;
const file = process.env.SKLENS_PACE;

let site: Site;
const rows: string[] = [];
const note = (what: string, measured: string, goal: string) => {
  rows.push(`| ${what} | ${measured} | ${goal} |`);
  console.log(`${what}: ${measured}`);
};
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

beforeAll(async () => {
  site = await openSite('none');
});
afterAll(async () => {
  await site.close();
  if (!file) return;
  const machine = `${cpus()[0]?.model}, ${cpus().length} cores; Chromium ${site.browser.version()}, CPU engine`;
  const text = `# How fast the page answers\n\nWritten by \`SKLENS_PACE=../docs/pace.md npm --prefix www run e2e -- pace\` (\`SKLENS_PHOTOS\`: a folder of 1,000 JPEGs of 500 px).\n${machine}.\n\n| | measured | goal |\n|---|---|---|\n${rows.join('\n')}\n`;
  await writeFile(file, text);
});

interface Opening {
  painted: number;
  answered: number;
  longest: number;
  shift: number;
}

/** Opens the page once more in a context whose cache may be warm. */
async function opened(page: Page): Promise<Opening> {
  await page.goto('about:blank');
  await page.goto(site.url);
  await settled(page);
  // What loads after the first result may not move anything either.
  await page.waitForTimeout(1500);
  return page.evaluate(() => (window as unknown as { opening: Opening }).opening);
}

async function observed(options: BrowserContextOptions): Promise<Page> {
  const page = await site.browser.newPage(options);
  await page.addInitScript(() => {
    const opening = { painted: NaN, answered: NaN, longest: 0, shift: 0 };
    Object.assign(window, { opening });
    const observe = (type: string, see: (entry: PerformanceEntry & { value?: number }) => void) =>
      new PerformanceObserver((list) => list.getEntries().forEach(see)).observe({ type, buffered: true });
    observe('layout-shift', ({ value }) => (opening.shift += value ?? 0));
    observe('longtask', ({ duration }) => (opening.longest = Math.max(opening.longest, duration)));
    observe('paint', ({ name, startTime }) => name === 'first-contentful-paint' && (opening.painted = startTime));
    new MutationObserver((_, observer) => {
      if (!document.querySelector('main[aria-busy=false]')) return;
      opening.answered = performance.now();
      observer.disconnect();
    }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['aria-busy'] });
  });
  return page;
}

test.each([
  { device: 'desktop', options: { viewport: { width: 1440, height: 900 } } },
  { device: 'phone', options: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } },
])('nothing shifts while the page opens on a $device', async ({ device, options }) => {
  const page = await observed(options);
  const first = await opened(page);
  const warm: Opening[] = [];
  for (let visit = 0; visit < VISITS; visit++) warm.push(await opened(page));
  for (const { shift } of [first, ...warm]) expect(shift).toBeLessThan(SHIFT);
  const of = (field: keyof Opening) => median(warm.map((opening) => opening[field]));
  note(`${device}, warm HTTP cache, first paint of content`, `${of('painted').toFixed(0)} ms`, '');
  note(`${device}, warm HTTP cache, first result`, `${of('answered').toFixed(0)} ms`, '1,500 ms');
  note(`${device}, longest task of the main thread while it opens`, `${of('longest').toFixed(0)} ms`, '100 ms');
  note(`${device}, sum of layout shifts, worst visit`, Math.max(first.shift, ...warm.map(({ shift }) => shift)).toFixed(4), 'none');
  await page.close();
});

test('zoom and centre of a photo of 12 megapixels are answered while they move', async () => {
  const page = await site.browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(site.url);
  await settled(page);
  const base64 = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(4000, 3000);
    const pencil = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
    for (let i = 0; i < 4000; i++) {
      pencil.fillStyle = `hsl(${(i * 47) % 360} 60% ${20 + ((i * 31) % 60)}%)`;
      pencil.fillRect((i * 7919) % 4000, (i * 104_729) % 3000, 20 + ((i * 13) % 300), 20 + ((i * 29) % 200));
    }
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 })).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  });
  await drop(page, Buffer.from(base64, 'base64'), 'large.jpg', 'image/jpeg');
  await page.getByText('Your photo. It stays on this device.').waitFor();
  await settled(page);
  for (const [what, goal] of [['zoom', 60], ['centre', 20]] as const) {
    // Another zoom than the three of the comparison, with room to move about.
    if (what === 'centre') await zoomTo(page, 2.5);
    const { answers, views, updates, frames, longest, asked, last } = await page.evaluate(moved, { what, seconds: SECONDS });
    await settled(page);
    // Nothing waits in line: after the last position only its own analysis, and that is what is shown.
    expect(asked).toBeLessThanOrEqual(1);
    expect(await page.locator('section[aria-labelledby=depth] ul li').last().textContent()).toContain(last.zoom);
    expect(await page.locator('.frame [role=group]').getAttribute('aria-label')).toBe(last.box);
    await equalsAnalysis(page, base64);
    expect(updates).toBeGreaterThan(3);
    const rate = (count: number) => `${(count / SECONDS).toFixed(0)}`;
    note(`12-megapixel photo, ${what} moves, updates shown`, `${rate(updates)} a second of ${rate(frames)} frames`, `${goal} a second`);
    note(`12-megapixel photo, ${what} moves, answers`, `${rate(answers)} a second, ${rate(views)} views`, '');
    note(`12-megapixel photo, ${what} moves, longest handling of an event`, `${longest.toFixed(1)} ms`, '50 ms');
  }
  await page.close();
});

/** That what is shown is what the engine says of the zoom and centre on show, asked anew. */
async function equalsAnalysis(page: Page, jpeg: string): Promise<void> {
  const { results, center } = JSON.parse(await saved(page, 'Save as JSON')) as { results: { scale: number }[]; center: [number, number] };
  const zoom = Number(await page.locator('#zoom').inputValue());
  expect(results.map(({ scale }) => scale)).toContain(zoom);
  const shown = await read(page);
  const expected = await page.evaluate(
    async ({ jpeg, zoom, center }) => {
      const photo = new Blob([Uint8Array.from(atob(jpeg), (character) => character.charCodeAt(0))]);
      const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
      const found = await session.analyze(photo, { scales: [zoom, 1, 1.5, 2], center });
      session.close();
      return found.map(({ units }) => units.map(({ name, meanDifference }) => [name, meanDifference ?? NaN] as const));
    },
    { jpeg, zoom, center },
  );
  const [now = [], ...paper] = expected;
  for (const [unit, [name, difference]] of now.entries()) {
    [...paper.map((zoom) => zoom[unit]?.[1] ?? NaN), difference].forEach((value, place) => {
      expect(shown.units[name]?.[place]).toBeCloseTo(value, 2.9);
    });
  }
}

interface Moved {
  /** Analyses that arrived, and the zooms in them. */
  answers: number;
  views: number;
  /** Frames that showed other numbers than the frame before, and all frames. */
  updates: number;
  frames: number;
  /** Longest handling of an event, in milliseconds. */
  longest: number;
  /** Analyses that were asked for after the last event's own frame. */
  asked: number;
  /** What the last event set, in the page's words. */
  last: { zoom: string; box: string };
}

/** Runs in the page: moves the zoom or the centre with every frame, as browsers hand on a pointer's moves, and counts what it shows. */
async function moved({ what, seconds }: { what: 'zoom' | 'centre'; seconds: number }): Promise<Moved> {
  const counts = { answers: 0, views: 0, updates: 0, frames: 0, longest: 0, asked: 0 };
  const { postMessage } = Worker.prototype;
  const heard = new WeakSet<Worker>();
  let counting = true;
  Worker.prototype.postMessage = function (this: Worker, message: { type: string }) {
    if (message.type === 'analyze') counts.asked++;
    if (!heard.has(this)) {
      heard.add(this);
      this.addEventListener('message', ({ data }: MessageEvent<{ type: string; results?: unknown[] }>) => {
        if (data.type !== 'results' || !counting) return;
        counts.answers++;
        counts.views += data.results?.length ?? 0;
      });
    }
    postMessage.call(this, message);
  };
  const slider = document.querySelector<HTMLInputElement>('#zoom') as HTMLInputElement;
  const box = document.querySelector<HTMLElement>('.frame [role=group]') as HTMLElement;
  // What is drawn, not what the page knows: the lines of the chart of channels.
  const shown = () => [...document.querySelectorAll('section[aria-labelledby=channels] svg path')].map((path) => path.getAttribute('d')).join();
  let before = shown();
  const frame = () => {
    if (!counting) return;
    counts.frames++;
    const now = shown();
    if (now !== before) counts.updates++;
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const end = performance.now() + seconds * 1e3;
  for (let step = 0; performance.now() < end; step++) {
    const start = performance.now();
    if (what === 'zoom') {
      // No zoom comes twice, since what is known would be shown without an analysis.
      slider.value = String(1 + (step % 200) / 100);
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    } else {
      const key = step % 24 < 12 ? 'ArrowLeft' : 'ArrowRight';
      box.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    }
    // What the page does at once belongs to the event: it waits in the queue of microtasks.
    await null;
    counts.longest = Math.max(counts.longest, performance.now() - start);
    await new Promise((done) => requestAnimationFrame(done));
  }
  counting = false;
  counts.asked = 0;
  const last = { zoom: `${Number(slider.value).toFixed(2)}×`, box: box.getAttribute('aria-label') ?? '' };
  await new Promise((done) => setTimeout(done, 150));
  Worker.prototype.postMessage = postMessage;
  return { ...counts, last };
}

test.skipIf(!photos)('a collection of a thousand photos, three zooms each', async () => {
  const names = (await readdir(photos as string)).filter((name) => /\.jpe?g$/i.test(name)).map((name) => join(photos as string, name));
  const page = await site.browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${site.url}#/collections`);
  await settled(page);
  const control = await site.browser.newBrowserCDPSession();
  const memory = async () => {
    const { processInfo } = await control.send('SystemInfo.getProcessInfo');
    const renderers = processInfo.filter(({ type }) => type === 'renderer');
    const sizes = await Promise.all(renderers.map(async ({ id }) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${id}/status`, 'utf8'))?.[1])));
    return sizes.reduce((sum, size) => sum + size, 0) / 1024;
  };
  const start = performance.now();
  await page.locator('section[aria-labelledby=collections] input[type=file]').last().setInputFiles(names);
  // After a few photos the page tells how long the rest will take, and waits.
  await page.getByRole('button', { name: 'Go on' }).press('Enter');
  const end = page.getByRole('status').filter({ hasText: /^All .* photos are done/ });
  const sizes: number[] = [];
  while ((await end.count()) === 0) {
    sizes.push(await memory());
    await page.waitForTimeout(2000);
  }
  const seconds = (performance.now() - start) / 1e3;
  const [quarter = NaN, last = NaN] = [sizes[sizes.length >> 2], sizes.at(-1)];
  note(`Collections, ${names.length} photos at three zooms`, `${seconds.toFixed(1)} s`, '60 s for 1,000');
  note('Collections, memory of the page after a quarter and at the end', `${quarter.toFixed(0)} and ${last.toFixed(0)} MiB`, 'flat');
  expect(last).toBeLessThan(quarter * 1.25);
  await page.close();
});
