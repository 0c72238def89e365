import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { GalleryEntry } from '../src/lib/gallery';
import { Explorer } from '../src/state.svelte';
import * as fake from './fake-engine';
import { LocalImage } from './local-image';
import { LocalWorker } from './local-worker';

const entry = {
  file: 'cat.jpg',
  title: 'Cat',
  alt: 'A cat.',
  author: 'Somebody',
  licence: 'CC0',
  licenceUrl: '',
  source: '',
  width: 640,
  height: 480,
  centre: [0.4, 0.5],
} satisfies GalleryEntry;

const settled = (explorer: Explorer) => vi.waitFor(() => expect(explorer.settled).toBe(true));

async function started(): Promise<Explorer> {
  const explorer = new Explorer();
  await explorer.start();
  await settled(explorer);
  return explorer;
}

beforeEach(() => {
  LocalWorker.install();
  vi.stubGlobal('Image', LocalImage);
  vi.stubGlobal('document', { baseURI: 'http://localhost/' });
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', async (url: URL | string) => {
    if (String(url).startsWith('data:')) return fetch(url);
    return String(url).endsWith('.json') ? Response.json([entry]) : new Response(`bytes of ${url}`);
  });
  vi.spyOn(URL, 'createObjectURL').mockImplementation((file) => ((file as File).type === 'text/plain' ? 'unreadable' : 'blob:'));
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test('starts with the first photo of the gallery, analysed at its centre and at the zooms of the paper', async () => {
  const explorer = await started();
  expect(explorer.photo?.entry?.title).toBe('Cat');
  expect(explorer.center).toEqual([0.4, 0.5]);
  expect(explorer.current?.scale).toBe(1);
  expect(explorer.sweep.map(({ scale }) => scale)).toEqual([1, 1.5, 2]);
  expect(explorer.unitName).toBe('SK_3_8');
  expect(fake.behaviour.analysed).toEqual([[1, 1.5, 2]]);
});

test('photos leave no address behind that would keep their files', async () => {
  const explorer = await started();
  await explorer.showFile(new File(['another photo'], 'other.jpg', { type: 'image/jpeg' }));
  await explorer.showFile(new File(['no photo'], 'notes.txt', { type: 'text/plain' }));
  expect(URL.createObjectURL).toHaveBeenCalledTimes(3);
  expect(URL.revokeObjectURL).toHaveBeenCalledTimes(3);
  await settled(explorer);
});

test('a photo that is too large is refused before it is decoded', async () => {
  const explorer = await started();
  const { decoded } = LocalImage;
  LocalImage.size = [13_000, 12_000];
  await explorer.showFile(new File(['another photo'], 'poster.gif', { type: 'image/gif' })).finally(() => (LocalImage.size = [640, 480]));
  expect(explorer.error).toMatch(/poster\.gif.* 13000 × 12000 .* 144 megapixels.*previous photo/);
  expect([explorer.photo?.name, LocalImage.decoded]).toEqual(['Cat', decoded]);
});

test('a run of slider moves analyses the first and the last, known zooms none', async () => {
  const explorer = await started();
  for (let zoom = 1.01; zoom < 1.4; zoom += 0.01) explorer.zoomTo(zoom);
  await settled(explorer);
  expect(explorer.current?.scale).toBe(1.39);
  expect(fake.behaviour.analysed.slice(1)).toEqual([[1.01], [1.39]]);
  explorer.zoomTo(2);
  expect(explorer.current?.scale).toBe(2);
  expect(fake.behaviour.analysed).toHaveLength(3);
});

test('analyses do not wait for frames, which show the last of them, and what is known is not asked again', async () => {
  const frames: (() => void)[] = [];
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => frames.push(draw));
  const explorer = new Explorer();
  await explorer.start();
  await vi.waitFor(() => expect(frames).toHaveLength(1));
  for (const zoom of [1.2, 1.3]) {
    explorer.zoomTo(zoom);
    await vi.waitFor(() => expect(explorer.running).toBe(false));
  }
  expect(fake.behaviour.analysed).toEqual([[1, 1.5, 2], [1.2], [1.3]]);
  expect([explorer.current, explorer.settled, frames.length]).toEqual([null, false, 1]);
  frames.splice(0).forEach((draw) => draw());
  expect([explorer.current?.scale, explorer.sweep.length, explorer.settled]).toEqual([1.3, 3, true]);
  const { sweep } = explorer;
  explorer.zoomTo(1.2);
  await vi.waitFor(() => expect(frames).toHaveLength(1));
  frames.splice(0).forEach((draw) => draw());
  expect(explorer.current?.scale).toBe(1.2);
  expect(explorer.sweep).toBe(sweep);
  expect(fake.behaviour.analysed).toHaveLength(3);
});

test('at the edge of the photo there is nothing new to analyse', async () => {
  const explorer = await started();
  explorer.moveTo([0, 0.5]);
  await settled(explorer);
  const asked = fake.behaviour.analysed.length;
  const { undoable } = explorer;
  explorer.moveTo([-0.2, 0.5]);
  expect(explorer.settled).toBe(true);
  expect([fake.behaviour.analysed.length, explorer.undoable]).toEqual([asked, undoable]);
});

test('zoom and centre stay in range', async () => {
  const explorer = await started();
  explorer.zoomTo(9);
  expect(explorer.zoom).toBe(3);
  explorer.zoomTo(2);
  explorer.moveTo([2, -1]);
  expect(explorer.center).toEqual([0.8125, 0.25]);
  await settled(explorer);
});

test('while the box is dragged only the present zoom is analysed, the sweep follows', async () => {
  const explorer = await started();
  explorer.zoomTo(1.8);
  await settled(explorer);
  explorer.drag(true);
  explorer.moveTo([0.6, 0.5]);
  await vi.waitFor(() => expect(explorer.running).toBe(false));
  expect(explorer.sweepStale).toBe(true);
  explorer.drag(false);
  await settled(explorer);
  expect(fake.behaviour.analysed.slice(2)).toEqual([[1.8], [1, 1.5, 2]]);
});

test.each([
  ['the browser', new File(['words'], 'notes.txt', { type: 'text/plain' })],
  ['the engine', new File(['x'], 'short.jpg', { type: 'image/jpeg' })],
])('a file that %s refuses leaves the photo and its numbers', async (_, file) => {
  const explorer = await started();
  await explorer.showFile(file);
  await vi.waitFor(() => expect(explorer.error).toContain('previous photo'));
  expect(explorer.photo?.name).toBe('Cat');
  expect(explorer.center).toEqual([0.4, 0.5]);
  await settled(explorer);
  await explorer.showFile(new File(['a proper photo'], 'dog.jpg', { type: 'image/jpeg' }));
  await settled(explorer);
  expect(explorer.photo?.name).toBe('dog.jpg');
  expect(explorer.error).toBeNull();
});

test('an engine that does not start leaves the running one in charge', async () => {
  const explorer = await started();
  fake.behaviour.refuse = ['gpu'];
  await explorer.run('gpu');
  expect(explorer.error).toContain('There is no GPU here.');
  expect([explorer.backend, explorer.info?.backend]).toEqual(['auto', 'cpu']);
  fake.behaviour.refuse = [];
  await explorer.run('gpu');
  await settled(explorer);
  expect([explorer.backend, explorer.info?.backend]).toEqual(['gpu', 'gpu']);
});

test('weights are kept as chosen, also for networks and engines that follow', async () => {
  const explorer = await started();
  expect([explorer.precision, explorer.info?.weightPrecision]).toEqual(['auto', 'f32']);
  await explorer.run('cpu', 'f16');
  expect([explorer.backend, explorer.precision, explorer.info?.weightPrecision]).toEqual(['cpu', 'f16', 'f16']);
  await explorer.run('auto');
  await explorer.show({ model: 'sknet50', random: true });
  expect(explorer.info).toMatchObject({ model: 'sknet50', weightPrecision: 'f16' });
  await settled(explorer);
});

test('tuned kernels run until they are switched off, also in the next visit', async () => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) });
  const explorer = await started();
  await explorer.run('gpu');
  expect([explorer.tuned, explorer.info?.tuned]).toEqual([false, 0]);
  await explorer.tune(true);
  expect([explorer.tuned, explorer.tuning, explorer.info?.tuned]).toEqual([true, false, 2]);

  const later = await started();
  await later.run('gpu');
  expect([later.tuned, later.info?.tuned]).toEqual([true, 2]);
  await later.tune(false);
  await settled(later);
  expect([later.tuned, later.info?.tuned]).toEqual([false, 0]);

  await later.run('cpu');
  await later.tune(true);
  expect(later.error).toContain('nothing to tune');
});

test('an engine that stops is started again and answers', async () => {
  const explorer = await started();
  explorer.zoomTo(1.7);
  LocalWorker.last.deliver({ type: 'crashed', message: 'unreachable' });
  await vi.waitFor(() => expect(explorer.error).toContain('unreachable'));
  await settled(explorer);
  expect(explorer.current?.scale).toBe(1.7);
});

test('without a gallery the page says so and waits for a photo', async () => {
  vi.stubGlobal('fetch', async (url: URL | string) =>
    String(url).endsWith('.json') ? new Response(null, { status: 404 }) : new Response('weights'),
  );
  const explorer = new Explorer();
  await explorer.start();
  expect(explorer.error).toContain('gallery');
  expect(explorer.photo).toBeNull();
  await explorer.showFile(new File(['a proper photo'], 'dog.jpg', { type: 'image/jpeg' }));
  await settled(explorer);
  expect(explorer.current?.top).toHaveLength(5);
});

test('undo brings back centre, zoom and photo, one step per gesture', async () => {
  const explorer = await started();
  expect(explorer.undoable).toBe(0);
  vi.spyOn(performance, 'now').mockReturnValue(10_000);
  for (const zoom of [1.1, 1.2, 1.3]) explorer.zoomTo(zoom);
  vi.spyOn(performance, 'now').mockReturnValue(20_000);
  explorer.drag(true);
  explorer.moveTo([0.6, 0.5]);
  explorer.moveTo([0.61, 0.5]);
  explorer.drag(false);
  expect(explorer.undoable).toBe(2);
  explorer.undo();
  expect([explorer.zoom, explorer.center]).toEqual([1.3, [0.4, 0.5]]);
  await explorer.showFile(new File(['a proper photo'], 'dog.jpg', { type: 'image/jpeg' }));
  explorer.undo();
  expect([explorer.photo?.name, explorer.zoom]).toEqual(['Cat', 1.3]);
  explorer.undo();
  expect([explorer.zoom, explorer.undoable]).toEqual([1, 0]);
  await settled(explorer);
});

test('starts where an address says, and goes where the next one says', async () => {
  const explorer = new Explorer();
  await explorer.start({ view: 'zoom', photo: 'cat.jpg', zoom: 1.7, center: [0.6, 0.4], unit: 'SK_2_2' });
  await settled(explorer);
  expect([explorer.zoom, explorer.center, explorer.unit?.name]).toEqual([1.7, [0.6, 0.4], 'SK_2_2']);
  const { center } = explorer;
  await explorer.goTo({ view: 'network', zoom: 1.2, center: [0.60001, 0.4], unit: 'SK_3_1' });
  await settled(explorer);
  expect([explorer.zoom, explorer.unit?.name]).toEqual([1.2, 'SK_3_1']);
  expect(explorer.center).toBe(center);
});

test('a view asks about what is on show', async () => {
  const explorer = await started();
  const [result] = await explorer.ask({ scales: [1.5], tensors: [] });
  expect(result?.scale).toBe(1.5);
  expect(result?.units[0]?.attention).toEqual(explorer.sweep[1]?.units[0]?.attention);
});

test('a GPU that is lost again while it is reopened leaves the CPU, with photo, zoom and results', async () => {
  const explorer = await started();
  await explorer.run('gpu');
  await settled(explorer);
  const { photo, current } = explorer;
  fake.behaviour.loseDevice = 2;
  explorer.zoomTo(1.3);
  await vi.waitFor(() => expect(explorer.info?.backend).toBe('cpu'));
  await settled(explorer);
  expect(explorer.error).toContain('The CPU takes over.');
  expect(explorer.backend).toBe('cpu');
  expect(explorer.photo).toBe(photo);
  explorer.zoomTo(1);
  await settled(explorer);
  expect(explorer.current?.units).toEqual(current?.units);
});

test('a receptive field is asked for what is on show; another photo forgets the place', async () => {
  const explorer = await started();
  explorer.zoomTo(2);
  explorer.moveTo([0.3, 0.4]);
  await settled(explorer);
  explorer.spot = [0.35, 0.45];
  const field = await explorer.askField({ unit: 'SK_3_4', position: explorer.spot, scale: explorer.zoom, override: { '*': 'smallest' } });
  expect(field.sizes.expected).toBe(field.sizes.smallest);
  expect(fake.behaviour.fields).toMatchObject([{ unit: 'SK_3_4', position: [0.35, 0.45], scale: 2, center: [...explorer.center] }]);
  await explorer.goTo({ view: 'field', spot: [0.4, 0.4], gradient: 'differentiated' });
  expect([explorer.spot, explorer.gradient]).toEqual([[0.4, 0.4], 'differentiated']);
  await explorer.showFile(new File(['another photo of a cat'], 'cat.jpg'));
  expect(explorer.spot).toBeNull();
});
