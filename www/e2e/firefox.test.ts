/** The page in Firefox: `SKLENS_FIREFOX`, or /usr/bin/firefox where that is installed. Its ESR has no WebGPU on Linux. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Firefox } from './bidi';
import { openSite, visit, type Site } from './browser';
import { galleryFiles } from './explorer';

const executable = process.env.SKLENS_FIREFOX ?? '/usr/bin/firefox';

/** Logits of a gallery photo at two zooms, and of a PNG, by the API in the page. */
const analyse = `(async () => {
  const session = await sklens.open({ model: sklens.bundledModels()[0], backend: 'auto' });
  const photo = await (await fetch('gallery/' + PHOTO)).blob();
  const png = new Blob([Uint8Array.from(atob(PNG), (character) => character.charCodeAt(0))]);
  const results = [...(await session.analyze(photo, { scales: [1, 1.7] })), ...(await session.analyze(png))];
  const { backend } = session.info;
  session.close();
  return { backend, logits: results.map(({ logits }) => [...logits]) };
})()`;
interface Analysed {
  backend: string;
  logits: number[][];
}

describe.skipIf(!process.env.SKLENS_FIREFOX && !existsSync(executable))('Firefox', () => {
  let firefox: Firefox;
  let site: Site;
  let script: string;
  beforeAll(async () => {
    site = await openSite('none');
    firefox = await Firefox.start(executable);
    const [photo] = await galleryFiles();
    const png = await readFile(new URL('../../tests/fixtures/images/palette.png', import.meta.url), 'base64');
    script = analyse.replace('PHOTO', JSON.stringify(photo)).replace('PNG', JSON.stringify(png));
  });
  afterAll(async () => {
    await firefox?.close();
    await site?.close();
  });

  test('shows the page analysed by the CPU engine, and answers the slider', async () => {
    await firefox.open(site.url);
    const busy = () => firefox.evaluate<string | undefined>(`document.querySelector('main')?.ariaBusy ?? ''`);
    await expect.poll(busy, { timeout: 120_000 }).toBe('false');
    const [backend, units] = await firefox.evaluate<[string, number]>(
      `[document.querySelector('#engine [data-backend]').dataset.backend, document.querySelectorAll('.look ol li').length]`,
    );
    expect([backend, units]).toEqual(['cpu', 5]);
    await firefox.evaluate(`(() => {
      const slider = document.querySelector('#zoom');
      slider.value = '1.7';
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
    const now = () => firefox.evaluate<string>(`document.querySelector('section[aria-labelledby=depth]').textContent`);
    await expect.poll(now, { timeout: 120_000 }).toContain('1.70×');
    await expect.poll(busy, { timeout: 120_000 }).toBe('false');
    expect(firefox.problems).toEqual([]);
  });

  test('computes what Chromium computes', async () => {
    const here = await firefox.evaluate<Analysed>(script);
    const { page } = await visit(site);
    const there = (await page.evaluate(script)) as Analysed;
    expect(here.backend).toBe('cpu');
    expect(here.logits).toHaveLength(3);
    here.logits.forEach((logits, index) => {
      expect(logits).toHaveLength(200);
      const other = there.logits[index] ?? [];
      expect(Math.max(...logits.map((value, at) => Math.abs(value - (other[at] ?? NaN))))).toBeLessThan(1e-4);
    });
    await page.close();
  });
});
