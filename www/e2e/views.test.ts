import { readFile, writeFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VIEWS } from '../src/lib/permalink';
import { openSite, visit, type Site } from './browser';
import { drop, hide, openTable, openView, read, saved, settled, visitEach, zoomTo } from './explorer';

let site: Site;
beforeAll(async () => {
  site = await openSite('none');
});
afterAll(() => site.close());

const visited = visitEach(() => visit(site));

const cells = (page: Page, rows: string) =>
  page.locator(rows).evaluateAll((found) => found.map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent?.trim() ?? '')));

test('an address brings back photo, zoom, centre, unit and view', async () => {
  const { page } = visited;
  await page.getByRole('button', { name: /bison/i }).click();
  await page.getByRole('link', { name: 'Bison' }).waitFor();
  await zoomTo(page, 1.6);
  await page.locator('.picker input[value=SK_2_3]').check();
  await page.getByRole('group', { name: 'The part that the network sees' }).press('Shift+ArrowLeft');
  await settled(page);
  const before = await read(page);
  await expect.poll(() => page.url()).toContain('unit=SK_2_3');
  await expect.poll(() => page.url()).toContain('zoom=1.6');
  const again = await visit({ ...site, url: page.url() });
  await settled(again.page);
  const after = await read(again.page);
  expect(after.predictions).toEqual(before.predictions);
  expect(after.units).toEqual(before.units);
  expect(after.channels).toEqual(before.channels);
  await again.page.close();

  await openView(page, 'What if');
  const whatIf = await visit({ ...site, url: page.url() });
  await whatIf.page.getByRole('heading', { name: 'Take the wheel' }).waitFor();
  await whatIf.page.close();
  await page.goBack();
  await page.getByRole('heading', { name: 'Inside one unit' }).waitFor();
});

test('undo by keyboard takes back a zoom', async () => {
  const { page } = visited;
  await page.keyboard.press('+');
  await settled(page);
  expect(await page.locator('#zoom').inputValue()).toBe('1.1');
  await page.keyboard.press('Control+z');
  expect(await page.locator('#zoom').inputValue()).toBe('1');
  expect(await page.getByRole('button', { name: 'Undo' }).isDisabled()).toBe(true);
});

test('the zoom plays to its end, and pauses on demand and in a hidden tab', async () => {
  const { page } = visited;
  const value = () => page.locator('#zoom').inputValue().then(Number);
  await zoomTo(page, 2.5);
  await page.getByRole('button', { name: 'Play the zoom' }).press('Enter');
  await expect.poll(value).toBeGreaterThan(2.5);
  await hide(page, true);
  const hidden = await value();
  await page.waitForTimeout(400);
  expect(await value()).toBe(hidden);
  await hide(page, false);
  await expect.poll(value).toBeGreaterThan(hidden);
  await page.getByRole('button', { name: 'Pause' }).press('Enter');
  const paused = await value();
  await page.waitForTimeout(400);
  expect(await value()).toBe(paused);
  await page.getByRole('button', { name: 'Play the zoom' }).press('Enter');
  await expect.poll(value, { timeout: 60_000 }).toBe(3);
  await page.getByRole('button', { name: 'Play the zoom' }).waitFor();
});

test('charts are saved as SVG and PNG, their numbers as CSV', async () => {
  const { page } = visited;
  const savedAs = async (type: string) => {
    const download = page.waitForEvent('download');
    await page.locator('section[aria-labelledby=depth]').getByRole('button', { name: type }).press('Enter');
    const file = await download;
    return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
  };
  const svg = await savedAs('SVG');
  expect(svg.name).toBe('units.svg');
  expect(svg.bytes.toString()).not.toContain('var(--');
  expect(svg.bytes.toString().match(/<rect/g)?.length).toBeGreaterThan(48);
  const png = await savedAs('PNG');
  expect(png.bytes.subarray(1, 4).toString()).toBe('PNG');
  const csv = (await savedAs('CSV')).bytes.toString().trim().split('\r\n');
  expect(csv).toHaveLength(17);
  const shown = await read(page);
  expect(Number(csv[1]?.split(',')[2])).toBeCloseTo(shown.units.SK_2_1?.[1] ?? NaN, 3);
});

test('a whole analysis is saved as JSON and copied as Python, by keyboard', async () => {
  const { page } = visited;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await zoomTo(page, 1.2);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as JSON' }).press('Enter');
  const file = JSON.parse(await readFile(await (await download).path(), 'utf8')) as {
    photo: { name: string };
    results: { scale: number; units: { name: string; attention: number[][]; meanDifference: number }[] }[];
  };
  expect(file.photo.name).toBe('red-panda.jpg');
  expect(file.results.map(({ scale }) => scale)).toEqual([1, 1.2, 1.5, 2]);
  const shown = await read(page);
  for (const { name, attention, meanDifference } of file.results[1]?.units ?? []) {
    const [small = [], large = []] = attention;
    const mean = large.reduce((sum, value, channel) => sum + value - (small[channel] ?? NaN), 0) / large.length;
    expect(mean).toBeCloseTo(meanDifference, 4);
    expect(shown.units[name]?.at(-1)).toBeCloseTo(meanDifference, 3);
  }
  await page.getByRole('button', { name: 'Copy as Python' }).press('Enter');
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  const program = await page.evaluate(() => navigator.clipboard.readText());
  expect(program).toContain(`PHOTO = "red-panda.jpg"  # ${site.url}gallery/red-panda.jpg\n`);
  expect(program).toMatch(/WEIGHTS = "sk_shufflenet_v2_x1_0.tiny200.safetensors" {2}# http.*models\/.*\.safetensors\n/);
  expect(program).toContain('ZOOMS = [1, 1.2, 1.5, 2]\nCENTER = (0.46, 0.47)');
  if (process.env.SKLENS_PROGRAM) await writeFile(process.env.SKLENS_PROGRAM, program);
});

test('figure 3 of a dropped photo, by keyboard, equals what PyTorch computes', async () => {
  const { page } = visited;
  const root = new URL('../../', import.meta.url);
  const golden = JSON.parse(await readFile(new URL('tests/goldens/figure3.json', root), 'utf8')) as {
    photo: string;
    units: Record<string, { differences: number[]; means: number[][] }>;
  };
  await drop(page, await readFile(new URL(golden.photo, root)), 'photo.png', 'image/png');
  await page.getByText('Your photo. It stays on this device.').waitFor();
  await settled(page);
  await page.getByRole('link', { name: 'Figure 3 of the paper for this photo' }).press('Enter');
  const section = page.locator('section[aria-labelledby=figure-3]');
  await expect.poll(() => section.locator('svg > image').count()).toBe(3);
  const download = page.waitForEvent('download');
  await section.getByRole('button', { name: 'CSV' }).press('Enter');
  const rows = (await readFile(await (await download).path(), 'utf8')).trim().split('\r\n').slice(1);
  const found = rows.map((row) => row.split(',').slice(-3).map(Number));
  const expected = Object.values(golden.units).flatMap(({ differences, means }) => [
    differences,
    ...(means[0] ?? []).map((_, group) => means.map((zoom) => zoom[group] ?? NaN)),
  ]);
  expect(found).toHaveLength(expected.length);
  const furthest = Math.max(...expected.flatMap((row, place) => row.map((value, zoom) => Math.abs(value - (found[place]?.[zoom] ?? NaN)))));
  expect(furthest).toBeLessThan(1e-3);
  console.log(`figure 3: ${expected.length} rows, furthest from PyTorch ${furthest.toExponential(1)}`);
});

test('what if, by keyboard: all attention to 5×5 is seen in every unit and answered in predictions', async () => {
  const { page } = visited;
  await openView(page, 'What if');
  await page.getByText('Nothing is replaced').waitFor();
  const section = page.locator('section[aria-labelledby=what-if]');
  await section.getByRole('button', { name: 'All 5×5' }).press('Enter');
  await page.getByText('With 16 units replaced').waitFor();
  await openTable(section);
  const differences = await cells(page, 'section[aria-labelledby=what-if] .table tbody tr');
  expect(differences).toHaveLength(16);
  expect(differences.every(([, , set]) => set === '+1.000')).toBe(true);
  const answers = await cells(page, 'section[aria-labelledby=what-if] > table tbody tr');
  expect(answers.some(([, by, set]) => by !== set)).toBe(true);

  await section.getByRole('slider', { name: /^Share of 5×5/ }).press('Home');
  await expect.poll(async () => (await cells(page, 'section[aria-labelledby=what-if] .table tbody tr'))[0]?.[2]).toBe('−1.000');
  await section.getByRole('button', { name: 'Undo the setting' }).press('Enter');
  await section.getByRole('button', { name: 'Let the network decide' }).press('Enter');
  await page.getByText('Nothing is replaced').waitFor();
});

test('the network, by keyboard: another unit shows its own tensors', async () => {
  const { page } = visited;
  await openView(page, 'Network');
  await page.getByRole('heading', { name: 'Inside SK_3_8 at 1.00×' }).waitFor();
  const inside = page.locator('section[aria-labelledby=split] canvas');
  expect(await inside.count()).toBe(12);
  await page.locator('input[name=network-unit]:checked').press('ArrowRight');
  await page.getByRole('heading', { name: 'Inside SK_4_1 at 1.00×' }).waitFor();
  // A softmax over two branches: the shares of a channel add up to 1.
  const shares = await page.locator('section[aria-labelledby=select] .head').allTextContents();
  const values = shares.map((text) => Number(text.replace('× ', '')));
  for (let channel = 0; channel < 6; channel++) {
    expect((values[channel] ?? NaN) + (values[channel + 6] ?? NaN)).toBeCloseTo(1, 2);
  }
});

test('the numbers inside a unit are saved, by keyboard, and shares add up to 1 in every channel', async () => {
  const { page } = visited;
  await openView(page, 'Network');
  await page.getByRole('heading', { name: 'Inside SK_3_8 at 1.00×' }).waitFor();
  const lines = (await saved(page, 'Save: s, logits and shares')).trim().split('\r\n').slice(1).map((line) => line.split(',').map(Number));
  expect(lines).toHaveLength(116);
  for (const [channel, , small = NaN, large = NaN, ...shares] of lines) {
    expect((shares[0] ?? NaN) + (shares[1] ?? NaN), `channel ${channel}`).toBeCloseTo(1, 5);
    expect(shares[1], `channel ${channel}`).toBeCloseTo(1 / (1 + Math.exp(small - large)), 4);
  }
  expect((await saved(page, 'Save: z')).trim().split('\r\n')).toHaveLength(33);
});

test('the mean receptive field over the gallery, by keyboard, and again for another unit', async () => {
  const { page } = visited;
  await openView(page, 'Receptive field');
  const section = page.locator('section[aria-labelledby=field-average]');
  const caption = section.locator('figcaption');
  const measured = async (text: RegExp) => {
    const button = section.getByRole('button', { name: /^Measure/ });
    await expect
      .poll(async () => {
        // A slow machine asks first.
        if ((await button.count()) > 0 && (await button.isEnabled())) await button.press('Enter').catch(() => undefined);
        return section.locator('.chart:not(.stale) figcaption').textContent({ timeout: 500 }).catch(() => '');
      }, { timeout: 120_000 })
      .toMatch(text);
  };
  await section.getByRole('button', { name: 'Take the gallery' }).press('Enter');
  await measured(/^SK_3_8 at 1\.00×, mean of 12 photos\. The square that holds 90 % of the heat is \d+ pixels wide/);
  expect(await section.locator('svg image').count()).toBe(3);
  await openTable(section);
  const widths = await cells(page, 'section[aria-labelledby=field-average] .table tbody tr');
  const [half = [], most = [], nearly = []] = widths.map((row) => row.slice(1).map(Number));
  expect(half.every((side, mode) => side <= (most[mode] ?? NaN) && (most[mode] ?? NaN) <= (nearly[mode] ?? NaN))).toBe(true);
  // Over many photos larger kernels see further; one photo may go either way.
  expect(most[0]).toBeLessThan(most[2] ?? NaN);

  await page.locator('section[aria-labelledby=field] .picker input:checked').press('ArrowLeft');
  await page.locator('section[aria-labelledby=field][aria-busy=false] figcaption').waitFor();
  await measured(/^SK_3_7 at 1\.00×, mean of 12 photos/);
  expect(await caption.count()).toBe(1);
});

test('the receptive field, by keyboard: it follows place, unit and attention, and its address brings it back', async () => {
  const { page } = visited;
  await openView(page, 'Receptive field');
  const section = page.locator('section[aria-labelledby=field]');
  const ready = () => page.locator('section[aria-labelledby=field][aria-busy=false] figcaption').waitFor({ timeout: 60_000 });
  const caption = () => section.locator('figcaption').textContent();
  await ready();
  const middle = await caption();
  expect(middle).toMatch(/^SK_3_8 at 1\.00×, .* 90 % within \d+, 99 % within \d+\./);
  await section.getByRole('group', { name: 'The place' }).press('Shift+ArrowLeft');
  await expect.poll(caption).not.toBe(middle);
  await section.locator('.picker input:checked').press('ArrowLeft');
  await expect.poll(caption).toMatch(/^SK_3_7 /);
  await section.locator('input[name=gradient]:checked').press('ArrowRight');
  await section.getByText('every pixel can act on every place').waitFor();
  await ready();

  await openTable(section);
  const widths = await cells(page, 'section[aria-labelledby=field] .table tbody tr');
  const numbers: Record<string, number[]> = Object.fromEntries(widths.map(([name, ...values]) => [name, values.map(Number)]));
  const [smallest = NaN, network = NaN, largest = NaN] = numbers.expected ?? [];
  expect(numbers.theoretical?.[0]).toBe(smallest);
  expect(numbers.theoretical?.[2]).toBe(largest);
  expect(smallest < network && network < largest).toBe(true);
  expect(numbers['50 %']?.every((side, i) => side <= (numbers['90 %']?.[i] ?? NaN))).toBe(true);
  expect(new Set(numbers['90 %']).size).toBeGreaterThan(1);
  expect(await page.locator('section[aria-labelledby=field-compare] svg image').count()).toBe(3);

  const shown = await caption();
  await expect.poll(() => page.url()).toMatch(/#\/field\?.*unit=SK_3_7&spot=.*&gradient=differentiated/);
  const again = await visit({ ...site, url: page.url() });
  await expect.poll(() => again.page.locator('section[aria-labelledby=field] figcaption').textContent(), { timeout: 60_000 }).toBe(shown);
  await again.page.close();
});

test('the receptive field against zoom and depth is measured, drawn and saved', async () => {
  const { page } = visited;
  await openView(page, 'Receptive field');
  for (const [id, rows] of [['field-zoom', 9], ['field-depth', 16]] as const) {
    const section = page.locator(`section[aria-labelledby=${id}]`);
    // A slow machine asks first.
    const drawn = section.locator('.files');
    await expect
      .poll(
        async () => {
          const button = section.getByRole('button', { name: /^Measure/ });
          if (await button.isEnabled({ timeout: 500 }).catch(() => false)) await button.press('Enter').catch(() => undefined);
          return drawn.count();
        },
        { timeout: 120_000 },
      )
      .toBe(1);
    const download = page.waitForEvent('download');
    await section.getByRole('button', { name: 'CSV' }).press('Enter');
    const lines = (await readFile(await (await download).path(), 'utf8')).trim().split('\r\n').map((line) => line.split(','));
    expect(lines).toHaveLength(rows + 1);
    for (const [, smallest, largest, expected] of lines.slice(1)) {
      expect(Number(smallest) < Number(expected) && Number(expected) < Number(largest)).toBe(true);
    }
  }
});

test('stimuli, by keyboard: a larger disc is the photo and moves attention', async () => {
  const { page } = visited;
  const photo = await page.locator('.frame img').getAttribute('src');
  await openView(page, 'Stimuli');
  await expect.poll(() => page.locator('.frame img').getAttribute('src')).not.toBe(photo);
  await page.getByText('units end nearer to 5×5').waitFor();
  const section = page.locator('section[aria-labelledby=stimuli]');
  await openTable(section);
  const curves = await cells(page, 'section[aria-labelledby=stimuli] tbody tr');
  expect(curves).toHaveLength(16);
  expect(curves.some(([, ...values]) => new Set(values).size > 3)).toBe(true);
  const shown = await page.locator('.frame img').getAttribute('src');
  await section.getByRole('slider', { name: /^Size/ }).press('ArrowRight');
  await expect.poll(() => page.locator('.frame img').getAttribute('src')).not.toBe(shown);
  await section.locator('input[name=pattern]:checked').press('ArrowRight');
  await section.getByRole('slider', { name: /^Orientation/ }).waitFor();
  await settled(page);
});

test.each([
  { branches: 1, large: '3×3', told: 'The only kernel, 3×3, has all the attention' },
  { branches: 3, large: '7×7', told: 'minus that of 3×3: 0 is undecided' },
])('with $branches kernels per unit every view and the tour’s last step fit the network', async ({ branches, large, told }) => {
  const { page } = visited;
  await page.getByRole('button', { name: 'Change the network' }).press('Enter');
  await page.getByRole('radio', { name: 'Build your own' }).check();
  await page.getByLabel('Family').selectOption('sk_shufflenet_v2');
  if (branches === 1) await page.getByRole('button', { name: 'Remove' }).last().press('Enter');
  else await page.getByRole('button', { name: 'Add a branch' }).press('Enter');
  const run = page.getByRole('button', { name: 'Run with random weights' });
  await expect.poll(() => run.isEnabled()).toBe(true);
  await run.press('Enter');
  await page.locator('p.random').waitFor({ timeout: 60_000 });
  for (const view of VIEWS.filter((view) => view !== 'tour')) {
    await page.goto(`${site.url}#/${view}`);
    await page.locator('.answer section').first().waitFor();
    await settled(page);
    const text = page.locator('.answer');
    if (branches === 1 && view !== 'network' && view !== 'field') await text.getByText(told).first().waitFor();
    if (branches === 3 && view !== 'stimuli' && view !== 'collections') await text.getByText(large).first().waitFor();
  }
  await page.goto(`${site.url}#/tour?step=6`);
  await page.locator('.words').getByText(told).waitFor({ timeout: 60_000 });
  expect(await page.locator('.bars').count()).toBe(branches === 1 ? 0 : 1);
  await page.goto(`${site.url}#/tour?step=4`);
  await page.getByText('These numbers are those of sk_shufflenet_v2_x1_0').waitFor();
});

test('without SK units every view says that there is no attention to show', async () => {
  const { page } = visited;
  await page.getByRole('button', { name: 'Change the network' }).press('Enter');
  await page.locator('input[name=network][value=shufflenet_v2_x0_5]').check();
  await page.getByRole('button', { name: 'Run with random weights' }).press('Enter');
  await page.locator('p.random').waitFor();
  for (const view of VIEWS.filter((view) => view !== 'tour')) {
    await page.goto(`${site.url}#/${view}`);
    await page.locator('.answer').getByText('This network has no Selective Kernel units').waitFor();
  }
  await page.goto(`${site.url}#/what-if`);
  await page.getByRole('heading', { name: 'Another network beside it' }).waitFor();
  expect(await page.getByRole('button', { name: 'All 5×5' }).count()).toBe(0);
});
