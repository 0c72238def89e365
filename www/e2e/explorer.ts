/** What a visitor sees and does, in terms of the page. */
import { readFile } from 'node:fs/promises';
import type { JSHandle, Locator, Page } from 'playwright-core';
import { afterEach, beforeEach, expect } from 'vitest';
import type { Visit } from './browser';

const gallery = new URL('../public/gallery/', import.meta.url);

/** A gallery photo's file. */
export function galleryPhoto(name: string): Promise<Buffer> {
  return readFile(new URL(name, gallery));
}

/** The entries of the gallery, in the page's order. */
export async function galleryFiles(): Promise<string[]> {
  const entries = JSON.parse(await readFile(new URL('gallery.json', gallery), 'utf8')) as { file: string }[];
  return entries.map(({ file }) => file);
}

/** What the page says at one moment. */
export interface Reading {
  /** The present zoom's label in both charts. */
  now: string;
  predictions: { label: string; percent: number }[];
  /** Mean difference by unit: at 1.0×, 1.5×, 2.0× and now. */
  units: Record<string, number[]>;
  /** The chosen unit's channels, in groups of 16: at 1.0×, 1.5×, 2.0× and now. */
  channels: number[][];
}

/** Opens the table behind a section's chart by keyboard, and waits for its rows, which are drawn only then. */
export async function openTable(section: Locator): Promise<void> {
  await section.locator('summary').press('Enter');
  await section.locator('details tbody tr').first().waitFor();
}

/** Opens a view by keyboard. */
export async function openView(page: Page, name: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name, exact: true }).press('Enter');
  await page.locator(`nav a[aria-current=page]`, { hasText: name }).waitFor();
}

/** The text of the file that a button saves. */
export async function saved(page: Page, button: string): Promise<string> {
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: button }).press('Enter');
  return readFile(await (await download).path(), 'utf8');
}

/** Reads predictions and the tables behind both charts. */
export async function read(page: Page): Promise<Reading> {
  for (const name of ['channels', 'depth']) {
    const section = page.locator(`section[aria-labelledby=${name}]`);
    if (!(await section.locator('details').evaluate((element: HTMLDetailsElement) => element.open))) await openTable(section);
  }
  return page.evaluate(() => {
    const numeral = (text: string | null) => Number((text ?? '').replace('−', '-').replace(' %', ''));
    const rows = (name: string) => [...document.querySelectorAll(`section[aria-labelledby=${name}] tbody tr`)];
    const cells = (row: Element) => [...row.querySelectorAll('td')].map((cell) => numeral(cell.textContent));
    return {
      now: document.querySelector('section[aria-labelledby=depth] thead th:last-child')?.textContent ?? '',
      predictions: [...document.querySelectorAll('.look ol li')].map((item) => ({
        label: item.getAttribute('title') ?? '',
        percent: numeral(item.querySelector('.value')?.textContent ?? ''),
      })),
      units: Object.fromEntries(rows('depth').map((row) => [row.querySelector('th')?.textContent ?? '', cells(row)])),
      channels: rows('channels').map(cells),
    };
  });
}

/** Waits until the analysis of what is on show has arrived. */
export async function settled(page: Page, timeout = 90_000): Promise<void> {
  await page
    .locator('main[aria-busy=false]')
    .waitFor({ timeout })
    .catch(async (cause: Error) => {
      const said = await page.getByRole('alert').allTextContents().catch(() => []);
      throw new Error(`The page is busy for more than ${timeout / 1000} s. It says: “${said.join(' ').trim()}”`, { cause });
    });
}

/** Before each test a visit of the analysed page, which is closed after it and must have had no problems. */
export function visitEach(open: () => Promise<Visit>): { readonly page: Page } {
  let visited: Visit | undefined;
  beforeEach(async () => {
    visited = undefined;
    visited = await open();
    await settled(visited.page);
  });
  afterEach(async () => {
    // Without a visit its failure is the test's.
    await visited?.page.close();
    expect(visited?.problems ?? []).toEqual([]);
  });
  return {
    get page() {
      if (!visited) throw new Error('There is no visit outside a test.');
      return visited.page;
    },
  };
}

/** Tells the page that its tab is in the background, or no longer. */
export async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((hidden) => Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }), hidden);
}

/** Drops a file on the page. */
export async function drop(page: Page, bytes: Buffer, name: string, type: string): Promise<void> {
  const data = await transfer(page, bytes, name, type);
  await page.dispatchEvent('main', 'dragover', { dataTransfer: data });
  await page.dispatchEvent('main', 'drop', { dataTransfer: data });
}

/** A file on disk as the page gets it from a file dialog. */
export async function fileIn(page: Page, path: string): Promise<JSHandle<File>> {
  const input = await page.evaluateHandle(() => document.createElement('input'));
  await input.evaluate((element) => (element.type = 'file'));
  await input.setInputFiles(path);
  return input.evaluateHandle((element) => element.files?.[0] as File);
}

/** Drops a file on disk on the page. */
export async function dropPath(page: Page, path: string): Promise<void> {
  const file = await fileIn(page, path);
  const data = await file.evaluateHandle((file) => {
    const data = new DataTransfer();
    data.items.add(file);
    return data;
  });
  await page.dispatchEvent('main', 'drop', { dataTransfer: data });
}

/** Pastes a file into the page. */
export async function paste(page: Page, bytes: Buffer, name: string, type: string): Promise<void> {
  const data = await transfer(page, bytes, name, type);
  await page.evaluate(
    (clipboardData) => document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true })),
    data,
  );
}

function transfer(page: Page, bytes: Buffer, name: string, type: string) {
  return page.evaluateHandle(
    ({ base64, name, type }) => {
      const data = new DataTransfer();
      const binary = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      data.items.add(new File([binary], name, { type }));
      return data;
    },
    { base64: bytes.toString('base64'), name, type },
  );
}

/** Moves the zoom slider and waits for the answer. */
export async function zoomTo(page: Page, zoom: number): Promise<void> {
  await page.locator('#zoom').fill(String(zoom));
  await settled(page);
}

/** Chooses an engine and waits until it runs and has answered. */
export async function runOn(page: Page, backend: 'gpu' | 'cpu'): Promise<void> {
  await page.locator(`input[name=backend][value=${backend}]`).check();
  await page.locator(`#engine [data-backend=${backend}]`).waitFor({ timeout: 90_000 });
  await settled(page);
}

/** Largest absolute difference of two readings' numbers for the present zoom. */
export function attentionChange(before: Reading, after: Reading): number {
  const now = ({ units }: Reading) => Object.entries(units).map(([name, values]) => [name, values.at(-1)] as const);
  const earlier = new Map(now(before));
  return Math.max(...now(after).map(([name, value]) => Math.abs((value ?? NaN) - (earlier.get(name) ?? NaN))));
}
