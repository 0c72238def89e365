/** The page and the API against `sklens analyze`: one engine, one answer. `SKLENS_CLI` names the tool. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, visit, type Gpu, type Site } from './browser';
import { drop, galleryFiles, galleryPhoto, openTable, read, runOn, settled, zoomTo } from './explorer';

const tool = process.env.SKLENS_CLI;
const folder = new URL('../public/gallery/', import.meta.url);
const fixtures = new URL('../../tests/fixtures/images/', import.meta.url);
const tolerance = 1e-3;

interface Line {
  scale: number;
  logits: number[];
  top: { label: string; probability: number }[];
  units: { name: string; attention: number[]; meanDifference: number }[];
}

interface Swept {
  measured: { photos: number; figures: Record<string, { mean: number[]; deviation: number[]; rise: number }> };
}

/** The tool's results for one photo. */
async function commandLine(file: string, scales: number[], from = folder): Promise<Line[]> {
  const path = fileURLToPath(new URL(file, from));
  const options = ['analyze', path, '--scales', scales.join(','), '--backend', 'cpu', '--json'];
  const { stdout } = await promisify(execFile)(tool as string, options, { maxBuffer: 1 << 26 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** What the tool prints of a receptive field. */
interface Field {
  pixel: [number, number];
  cell: [number, number];
  shape: [number, number];
  theoretical: Record<'x0' | 'y0' | 'x1' | 'y1', number>;
  sizes: { expected: number };
  squares: { side: number }[];
  map: number[];
}

/** The two numbers of an address's field. */
function pair(text: string): [number, number] {
  return text.split(',').map(Number) as [number, number];
}

function distance(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? NaN))));
}

describe.skipIf(!tool).each<{ gpu: Gpu; backend: 'gpu' | 'cpu' }>([
  { gpu: 'webgpu', backend: 'gpu' },
  { gpu: 'none', backend: 'cpu' },
])('the $backend engine', ({ gpu, backend }) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(gpu);
  });
  afterAll(() => site.close());

  test('shows for a dropped photo what the command line prints', async () => {
    const { page, problems } = await visit(site);
    await settled(page);
    if (backend === 'gpu') await runOn(page, 'gpu');
    const file = (await galleryFiles())[4] as string;
    await drop(page, await galleryPhoto(file), file, 'image/jpeg');
    await page.getByText('It stays on this device').waitFor();
    await settled(page);
    await zoomTo(page, 1.83);
    const shown = await read(page);
    const printed = await commandLine(file, [1, 1.5, 2, 1.83]);
    for (const [index, { name }] of (printed[0] as Line).units.entries()) {
      const differences = printed.map(({ units }) => (units[index] as Line['units'][number]).meanDifference);
      expect(distance(shown.units[name] ?? [], differences), name).toBeLessThan(tolerance);
    }
    const now = (printed[3] as Line).top;
    expect(shown.predictions.map(({ label }) => label)).toEqual(now.map(({ label }) => label));
    for (const [index, { percent }] of shown.predictions.entries()) {
      expect(Math.abs(percent - 100 * (now[index]?.probability ?? NaN))).toBeLessThan(0.6);
    }
    expect(problems).toEqual([]);
    await page.close();
  });

  test('shows and returns the receptive field that the command line prints', async () => {
    const { page, problems } = await visit({ ...site, url: `${site.url}#/field?unit=SK_2_2` });
    await settled(page);
    if (backend === 'gpu') await runOn(page, 'gpu');
    const section = page.locator('section[aria-labelledby=field]');
    const caption = () => section.locator('figcaption').textContent();
    await expect.poll(caption, { timeout: 200_000 }).toContain('SK_2_2 at');
    const middle = await caption();
    await section.getByRole('group', { name: 'The place' }).press('Shift+ArrowRight');
    await expect.poll(caption, { timeout: 200_000 }).not.toBe(middle);
    await openTable(section);
    const shown = await section.locator('tbody tr').evaluateAll((rows) => rows.map((row) => Number(row.querySelectorAll('td')[1]?.textContent)));

    await expect.poll(() => page.url()).toContain('spot=');
    const asked = new URLSearchParams(page.url().split('?')[1]);
    const [spot, center] = [asked.get('spot') ?? '', asked.get('at') ?? ''];
    const path = fileURLToPath(new URL(asked.get('photo') ?? '', folder));
    const options = ['receptive-field', path, '--unit', 'SK_2_2', '--position', spot, '--center', center, '--backend', 'cpu', '--json'];
    const { stdout } = await promisify(execFile)(tool as string, options, { maxBuffer: 1 << 26 });
    const printed = JSON.parse(stdout) as Field;
    const sides = printed.squares.map(({ side }) => side);
    // Squares grow in steps of two pixels; where the sum lies near the share, engines may differ by one step.
    for (const [i, side] of sides.entries()) expect(Math.abs((shown[i] ?? NaN) - side)).toBeLessThanOrEqual(2);
    expect(shown[3]).toBeCloseTo(printed.sizes.expected, 0);

    const found = await page.evaluate(
      async ({ photo, position, center, backend }) => {
        const image = await (await fetch(`gallery/${photo}`)).blob();
        const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend });
        const field = await session.receptiveField({ image, unit: 'SK_2_2', position, center });
        session.close();
        return { ...field, map: [...field.map] };
      },
      { photo: asked.get('photo'), position: pair(spot), center: pair(center), backend },
    );
    const norm = (values: readonly number[]) => Math.hypot(...values);
    expect(norm(found.map.map((value, p) => value - (printed.map[p] ?? NaN)))).toBeLessThan(tolerance * norm(printed.map));
    expect(found.theoretical).toEqual(printed.theoretical);
    expect(found).toMatchObject({ pixel: printed.pixel, cell: printed.cell, shape: printed.shape });
    expect(problems).toEqual([]);
    await page.close();
  });

  test('computes for gallery photos what the command line computes', async () => {
    const { page } = await visit(site);
    await settled(page);
    // A software adapter takes seconds for each photo.
    const files = (await galleryFiles()).slice(0, backend === 'gpu' ? 2 : undefined);
    const scales = [1, 1.5, 2];
    const session = await page.evaluateHandle(
      (backend) => window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend }),
      backend,
    );
    for (const file of files) {
      const found = await session.evaluate(
        async (session, { file, scales }) => {
          const photo = await (await fetch(`gallery/${file}`)).blob();
          const results = await session.analyze(photo, { scales });
          return results.map(({ logits, units }) => ({
            logits: [...logits],
            attention: units.map(({ attention }) => [...attention]),
          }));
        },
        { file, scales },
      );
      const printed = await commandLine(file, scales);
      for (const [index, line] of printed.entries()) {
        const result = found[index] as (typeof found)[number];
        expect(distance(result.logits, line.logits), `${file}, logits at ${line.scale}`).toBeLessThan(tolerance);
        for (const [unit, { name, attention }] of line.units.entries()) {
          expect(distance(result.attention[unit] ?? [], attention), `${file}, ${name}`).toBeLessThan(tolerance);
        }
      }
    }
    await page.close();
  });
});

test.skipIf(!tool)('PNG and WebP, decoded by a module of their own, give what the command line gives', async () => {
  const site = await openSite('none');
  const { page, problems } = await visit(site);
  await settled(page);
  for (const file of ['alpha.png', 'grey16.png', 'lossy.webp', 'lossless.webp']) {
    const base64 = (await readFile(new URL(file, fixtures))).toString('base64');
    const logits = await page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const session = await window.sklens.open({ model: window.sklens.bundledModels()[0] as string, backend: 'cpu' });
      const [result] = await session.analyze(new Blob([bytes]));
      session.close();
      return [...(result?.logits ?? [])];
    }, base64);
    const [printed] = await commandLine(file, [1], fixtures);
    expect(distance(logits, printed?.logits ?? []), file).toBeLessThan(tolerance);
  }
  expect(problems).toEqual([]);
  await site.close();
});

test.skipIf(!tool)('a collection has the summary of `sklens sweep`', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'sklens-'));
  const [out, summary] = [join(scratch, 'rows.parquet'), join(scratch, 'summary.json')];
  const options = ['sweep', fileURLToPath(folder), '--out', out, '--summary', summary, '--backend', 'cpu'];
  await promisify(execFile)(tool as string, options);
  const { measured } = JSON.parse(await readFile(summary, 'utf8')) as Swept;
  const site = await openSite('none');
  const { page, problems } = await visit({ ...site, url: `${site.url}#/collections` });
  await settled(page);
  await page.getByRole('button', { name: 'Take the gallery' }).press('Enter');
  await page.getByRole('status').filter({ hasText: 'photos are done' }).waitFor({ state: 'attached', timeout: 120_000 });
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Summary as JSON' }).click();
  const shown = (JSON.parse(await readFile(await (await download).path(), 'utf8')) as Swept).measured;
  expect(shown.photos).toBe(measured.photos);
  for (const [unit, figures] of Object.entries(shown.figures)) {
    const printed = measured.figures[unit] as Swept['measured']['figures'][string];
    expect(distance(figures.mean, printed.mean), unit).toBeLessThan(tolerance);
    expect(distance(figures.deviation, printed.deviation), unit).toBeLessThan(tolerance);
    expect(Math.abs(figures.rise - printed.rise), unit).toBeLessThan(tolerance);
  }
  expect(problems).toEqual([]);
  await site.close();
  await rm(scratch, { recursive: true });
});

test('the tool is compared in the full run', () => {
  expect(process.env.SKLENS_URL === undefined || tool !== undefined).toBe(true);
});
