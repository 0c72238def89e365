import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { chosenItems, droppedItems, itemsOf, type Item } from '../src/lib/collection';
import { rowsCsv, summaryJson } from '../src/lib/collectionFiles';
import { Collector } from '../src/lib/statistics';
import { Collection } from '../src/state/collection.svelte';
import { Explorer } from '../src/state.svelte';
import * as fake from './fake-engine';
import { LocalImage } from './local-image';
import { LocalWorker } from './local-worker';

const item = (path: string): { path: string; file: () => Promise<Blob> } => ({ path, file: async () => new Blob([`bytes of ${path}`]) });

test('items are photos in the order of the command line, with the first folder as class', () => {
  const found = itemsOf(['dogs/b.JPG', 'cats/notes.txt', 'cats.png', 'cats/x/a.webp', 'cats/z.jpeg', 'a.gif'].map(item));
  expect(found.map(({ path, class: name }) => [path, name])).toEqual([
    ['cats/x/a.webp', 'cats'],
    ['cats/z.jpeg', 'cats'],
    ['cats.png', null],
    ['dogs/b.JPG', 'dogs'],
  ]);
});

test('the chosen folder itself is no class', () => {
  const file = new File([''], 'a.jpg');
  Object.defineProperty(file, 'webkitRelativePath', { value: 'photos/cats/a.jpg' });
  expect(chosenItems([file]).map(({ path, class: name }) => [path, name])).toEqual([['cats/a.jpg', 'cats']]);
  expect(chosenItems([new File([''], 'b.jpg')])[0]?.class).toBe(null);
});

/** A folder that hands its entries out one by one, as browsers hand out a hundred. */
function folder(name: string, entries: FileSystemEntry[]): FileSystemEntry {
  const createReader = () => {
    const left = [...entries];
    return { readEntries: (resolve: (part: FileSystemEntry[]) => void) => resolve(left.splice(0, 1)) };
  };
  return { name, isDirectory: true, createReader } as unknown as FileSystemEntry;
}
const leaf = (name: string) => ({ name, isDirectory: false, file: (resolve: (file: File) => void) => resolve(new File([name], name)) }) as unknown as FileSystemEntry;

test('dropped folders are read to their end', async () => {
  const cats = folder('cats', [leaf('b.jpg'), leaf('a.jpg'), folder('more', [leaf('c.jpg')])]);
  const paths = async (entries: FileSystemEntry[]) => (await droppedItems(entries)).map(({ path }) => path);
  expect(await paths([folder('photos', [cats, leaf('d.png')])])).toEqual(['cats/a.jpg', 'cats/b.jpg', 'cats/more/c.jpg', 'd.png']);
  expect(await paths([cats, leaf('d.png')])).toEqual(['cats/a.jpg', 'cats/b.jpg', 'cats/more/c.jpg', 'd.png']);
});

test('figures are those of the textbook', () => {
  const collector = new Collector(['SK_2_1'], 3);
  for (const values of [[0, 1, 2], [1, 0, 4], [2, 2, 0]]) collector.add('cats', Float32Array.from(values));
  const { photos, figures } = collector.all;
  const found = figures.SK_2_1;
  expect(photos).toBe(3);
  expect(found?.mean).toEqual([1, 1, 2]);
  expect(found?.deviation).toEqual([1, 1, 2]);
  expect(found?.rise).toBe(1);
  expect(found?.rise_deviation).toBeCloseTo(Math.sqrt(7), 12);
  expect([found?.rising, found?.monotone]).toEqual([2 / 3, 1 / 3]);
  expect(collector.classes.cats).toEqual(collector.all);
});

beforeEach(() => {
  LocalWorker.install();
  vi.stubGlobal('Image', LocalImage);
  vi.stubGlobal('document', { baseURI: 'http://localhost/' });
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', async (url: URL | string) => (String(url).startsWith('data:') ? fetch(url) : Response.json([])));
});
afterEach(() => vi.unstubAllGlobals());

async function collected(items: Item[]): Promise<Collection> {
  const explorer = new Explorer();
  await explorer.start();
  const collection = new Collection(explorer);
  await collection.choose(items);
  return collection;
}

test('every photo is looked at once, at three zooms; unreadable ones are listed', async () => {
  const paths = Array.from({ length: 9 }, (_, index) => `${index % 2 ? 'cats' : 'dogs'}/${index}.jpg`);
  const items = itemsOf([...paths.map(item), { path: 'cats/short.jpg', file: async () => new Blob(['no']) }]);
  const collection = await collected(items);
  expect([collection.phase, collection.done]).toEqual(['done', 10]);
  expect(collection.missing.map(({ image }) => image)).toEqual(['cats/short.jpg']);
  expect(fake.behaviour.analysed.filter((scales) => scales.length === 3)).toHaveLength(9);
  expect(collection.summary?.all.photos).toBe(9);
  expect(Object.entries(collection.summary?.classes ?? {}).map(([name, { photos }]) => [name, photos])).toEqual([['cats', 4], ['dogs', 5]]);
  // The worker keeps few of them.
  expect(fake.behaviour.photosAlive).toBeLessThan(6);

  const all = { ...collection, info: collection.info, summary: collection.summary, items, missing: collection.missing, units: collection.units, scales: [1, 1.5, 2] };
  const lines = rowsCsv(all as Parameters<typeof rowsCsv>[0], collection.rows).trim().split('\r\n');
  expect(lines).toHaveLength(1 + 9 * 3 * 16);
  expect(lines[1]).toMatch(/^cats\/1\.jpg,cats,SK_2_1,1,-?0\.\d+$/);
  const summary = JSON.parse(summaryJson(all as Parameters<typeof summaryJson>[0])) as { measured: { figures: object; classes: object } };
  expect(Object.keys(summary.measured.figures)).toHaveLength(16);
});

test('a paused collection goes on where it was', async () => {
  const items = itemsOf(Array.from({ length: 30 }, (_, index) => item(`${index}.jpg`)));
  const explorer = new Explorer();
  await explorer.start();
  const collection = new Collection(explorer);
  const running = collection.choose(items);
  await vi.waitFor(() => expect(collection.done).toBeGreaterThan(6));
  collection.pause();
  const again = collection.go();
  await Promise.all([running, again]);
  expect([collection.phase, collection.done, collection.summary?.all.photos]).toEqual(['done', 30, 30]);
});

test('pausing counts from the first photo on', async () => {
  const explorer = new Explorer();
  await explorer.start();
  const collection = new Collection(explorer);
  const running = collection.choose(itemsOf(Array.from({ length: 200 }, (_, index) => item(`${index}.jpg`))));
  await vi.waitFor(() => expect(collection.phase).toBe('running'), { interval: 1 });
  collection.pause();
  await running;
  expect(collection.phase).toBe('waiting');
  expect(collection.done).toBeLessThan(200);
});

test('another network stops it', async () => {
  const items = itemsOf(Array.from({ length: 40 }, (_, index) => item(`${index}.jpg`)));
  const explorer = new Explorer();
  await explorer.start();
  const collection = new Collection(explorer);
  const running = collection.choose(items);
  await vi.waitFor(() => expect(collection.done).toBeGreaterThan(6));
  await explorer.show({ model: 'sk_shufflenet_v2_x1_0', random: true });
  await running;
  expect(collection.phase).toBe('stopped');
  expect(collection.error).toContain('closed');
  await collection.again();
  expect([collection.phase, collection.done]).toEqual(['done', 40]);
});
