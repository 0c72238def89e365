/** The views' main numbers on the GPU engine are those of the CPU engine, each reached by keyboard. */
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { openSite, visit, type Gpu } from './browser';
import { openTable, openView, runOn, saved, settled } from './explorer';

const gallery = (name: string) => fileURLToPath(new URL(`../public/gallery/${name}`, import.meta.url));
const PATIENT = { timeout: 200_000 };

/** The numbers of a table's cells, in its order. */
const numbers = (page: Page, rows: string) =>
  page.locator(rows).evaluateAll((found) =>
    found.flatMap((row) => [...row.querySelectorAll('td')].map((cell) => Number((cell.textContent ?? '').replace('−', '-').replace(/ %$/, '')))),
  );

/** Goes through the views and brings back what they show. */
async function shown(gpu: Gpu): Promise<Record<string, number[]>> {
  const site = await openSite(gpu);
  const { page, problems } = await visit(site);
  await settled(page);
  await runOn(page, gpu === 'webgpu' ? 'gpu' : 'cpu');
  const found: Record<string, number[]> = {};

  await page.getByRole('link', { name: 'Figure 3 of the paper for this photo' }).press('Enter');
  const figure = page.locator('section[aria-labelledby=figure-3]');
  await figure.locator('svg > image').nth(2).waitFor(PATIENT);
  found['figure 3'] = (await saved(page, 'CSV')).trim().split('\r\n').slice(1).flatMap((row) => row.split(',').slice(-3).map(Number));

  await openView(page, 'Network');
  await page.locator('section[aria-labelledby=select] .head').first().waitFor(PATIENT);
  const shares = await page.locator('section[aria-labelledby=select] .head').allTextContents();
  found.network = shares.map((text) => Number(text.replace('× ', '')));

  await openView(page, 'What if');
  const whatIf = page.locator('section[aria-labelledby=what-if]');
  await whatIf.getByRole('button', { name: 'All 5×5' }).press('Enter');
  await page.getByText('With 16 units replaced').waitFor(PATIENT);
  await settled(page, PATIENT.timeout);
  await openTable(whatIf);
  found['what if, units'] = await numbers(page, 'section[aria-labelledby=what-if] .table tbody tr');
  found['what if, predictions'] = await numbers(page, 'section[aria-labelledby=what-if] > table tbody tr');
  await whatIf.getByRole('button', { name: 'Let the network decide' }).press('Enter');
  await page.getByText('Nothing is replaced').waitFor();

  await openView(page, 'Stimuli');
  await page.getByText('units end nearer to 5×5').waitFor(PATIENT);
  await openTable(page.locator('section[aria-labelledby=stimuli]'));
  found.stimuli = await numbers(page, 'section[aria-labelledby=stimuli] tbody tr');

  await openView(page, 'Collections');
  const files = ['bison.jpg', 'fig.jpg'].map(gallery);
  await page.locator('section[aria-labelledby=collections] input[type=file]').last().setInputFiles(files);
  await page.getByRole('status').filter({ hasText: 'All 2 photos are done.' }).waitFor({ state: 'attached', ...PATIENT });
  const { measured } = JSON.parse(await saved(page, 'Summary as JSON')) as { measured: { figures: Record<string, { mean: number[] }> } };
  found.collections = Object.values(measured.figures).flatMap(({ mean }) => mean);

  expect(problems).toEqual([]);
  await site.close();
  return found;
}

test('every view shows on the GPU what it shows on the CPU', async () => {
  const cpu = await shown('none');
  const gpu = await shown('webgpu');
  for (const [view, values] of Object.entries(cpu)) {
    const other = gpu[view] ?? [];
    expect(values.length, view).toBeGreaterThan(1);
    expect(other.length, view).toBe(values.length);
    expect(values.every(Number.isFinite), view).toBe(true);
    // Predictions are shown in percent with one decimal.
    const tolerance = view.endsWith('predictions') ? 0.11 : 1.1e-3;
    expect(Math.max(...values.map((value, place) => Math.abs(value - (other[place] ?? NaN)))), view).toBeLessThan(tolerance);
  }
});

test('the fastest kernels are found, used at once and given to another session, and change no result', async () => {
  const site = await openSite('webgpu');
  const { page, problems } = await visit(site);
  await settled(page);
  const found = await page.evaluate(async () => {
    const { open } = window.sklens;
    // One stage: few shapes, each of which has many variants to compile.
    const model = { sknet: { name: 'small', depths: [1], width: 16, out_width: 32, groups: 4, input_size: [64, 64] as [number, number], classes: 10 } };
    const picture = { data: Float32Array.from({ length: 3 * 64 * 64 }, (_, place) => Math.sin(place)), shape: [1, 3, 64, 64] as const };
    const session = await open({ model, random: true, backend: 'gpu' });
    const logits = async (of: typeof session) => [...((await of.analyze(picture))[0]?.logits ?? [])];
    const before = await logits(session);
    const untuned = session.info.tuned;
    const rounds: number[][] = [];
    const tuning = await session.tune({ onProgress: ({ done, total }) => rounds.push([done, total]) });
    const tuned = session.info.tuned;
    const after = await logits(session);
    session.close();
    const later = await open({ model, random: true, backend: 'gpu', tunings: [tuning] });
    const benchmark = await later.benchmark();
    const result = { before, untuned, rounds, tuning, tuned, after, laterTuned: later.info.tuned, benchmark };
    later.close();
    return result;
  });
  const { before, untuned, rounds, tuning, tuned, after, laterTuned, benchmark } = found;
  const shapes = Object.keys(tuning.choices).length;
  expect(shapes).toBeGreaterThan(2);
  expect([untuned, tuned, laterTuned]).toEqual([0, shapes, shapes]);
  expect(rounds.length).toBeGreaterThan(2);
  expect(rounds).toEqual(rounds.map((_, done) => [done, rounds.length - 1]));
  const largest = Math.max(...before.map(Math.abs));
  expect(Math.max(...before.map((logit, place) => Math.abs(logit - (after[place] ?? NaN))))).toBeLessThan(1e-4 * largest);
  expect(benchmark).toMatchObject({ size: [64, 64], batch: 1 });
  expect(problems).toEqual([]);
  await site.close();
});
