import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { refusal } from '../src/lib/camera';
import type { Photo } from '../src/lib/photo';
import { Rate } from '../src/lib/rate';
import { Camera } from '../src/state/camera.svelte';
import { Explorer } from '../src/state.svelte';
import * as fake from './fake-engine';
import { LocalWorker } from './local-worker';

/** A camera whose frames are numbered; the number is the first pixel's red. */
class FakeFeed {
  onended = () => undefined as void;
  taken: number[] = [];
  closed = false;
  #shown = 0;
  #fresh = false;
  #wake: (() => void) | undefined;

  /** Presents a frame. */
  show(number: number): void {
    this.#shown = number;
    this.#fresh = true;
    this.#wake?.();
  }
  async next(): Promise<void> {
    while (!this.closed && !this.#fresh) await new Promise<void>((wake) => (this.#wake = wake));
    this.#fresh = false;
  }
  take(): Photo {
    this.taken.push(this.#shown);
    const input = new ImageData(new Uint8ClampedArray(4 * 64 * 64).fill(this.#shown), 64, 64);
    const live = {} as HTMLVideoElement;
    return { input, image: {} as HTMLCanvasElement, width: 64, height: 64, name: `frame ${this.#shown}`, entry: null, live };
  }
  close(): void {
    this.closed = true;
    this.#wake?.();
  }
}

class LocalImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

let explorer: Explorer;
let feed: FakeFeed;
let camera: Camera;
beforeEach(async () => {
  LocalWorker.install();
  vi.stubGlobal('ImageData', LocalImageData);
  vi.stubGlobal('document', { baseURI: 'http://localhost/' });
  vi.stubGlobal('fetch', async (url: URL | string) => (String(url).endsWith('.json') ? Response.json([]) : new Response('weights')));
  explorer = new Explorer();
  await explorer.start();
  feed = new FakeFeed();
  camera = new Camera(explorer, async () => feed);
  void camera.start();
  await vi.waitFor(() => expect(camera.status).toBe('on'));
});
afterEach(() => {
  camera.stop();
  vi.unstubAllGlobals();
});

/** Presents a frame and waits until it is the photo. */
async function shown(number: number): Promise<void> {
  feed.show(number);
  await vi.waitFor(() => expect(explorer.photo?.name).toBe(`frame ${number}`));
}

test('each frame is analysed at the present zoom alone; when stopped, the last one at the zooms of the paper too', async () => {
  await shown(1);
  expect(explorer.settled).toBe(true);
  explorer.zoomTo(1.4);
  await shown(2);
  expect(explorer.current?.scale).toBe(1.4);
  expect(explorer.sweep).toEqual([]);
  camera.stop();
  expect(feed.closed).toBe(true);
  expect(explorer.photo?.name).toBe('frame 2');
  await vi.waitFor(() => expect(explorer.sweep.map(({ scale }) => scale)).toEqual([1, 1.5, 2]));
  expect(new Set(fake.behaviour.analysed.flat())).toEqual(new Set([1, 1.4, 1.5, 2]));
});

test('of frames that come while the network works only the last is analysed', async () => {
  await shown(1);
  fake.behaviour.delay = 30;
  feed.show(2);
  await vi.waitFor(() => expect(feed.taken).toEqual([1, 2]));
  for (const number of [3, 4, 5, 6]) feed.show(number);
  await shown(6);
  expect(feed.taken).toEqual([1, 2, 6]);
});

test('a view’s questions about a frame are answered before the next frame', async () => {
  await shown(1);
  fake.behaviour.delay = 30;
  const answer = explorer.ask({ scales: [3] });
  feed.show(2);
  expect(await answer).toHaveLength(1);
  expect(feed.taken).toEqual([1]);
  await shown(3);
});

test('another photo ends it', async () => {
  await shown(1);
  explorer.photo = { ...(explorer.photo as Photo), name: 'another', live: null };
  feed.show(2);
  await vi.waitFor(() => expect(camera.status).toBe('off'));
  expect(feed.closed).toBe(true);
  expect(explorer.photo.name).toBe('another');
});

test('a camera that ends by itself leaves its last frame', async () => {
  await shown(1);
  feed.onended();
  expect(camera.status).toBe('off');
  expect(explorer.photo).toMatchObject({ name: 'frame 1', live: null });
});

test.each([
  ['NotAllowedError', /refused.*settings/],
  ['NotFoundError', /No camera was found/],
  ['NotReadableError', /Another program/],
])('%s is said in words', async (name, sentence) => {
  expect(refusal(name)).toMatch(sentence);
  const refused = new Camera(explorer, () => Promise.reject(new Error(refusal(name))));
  await refused.start();
  expect(refused.status).toBe('off');
  expect(explorer.error).toMatch(sentence);
});

test('a rate counts events of the last two seconds', () => {
  const rate = new Rate(2000);
  expect(rate.add(0)).toBe(0);
  expect(rate.add(100)).toBeCloseTo(10);
  for (let at = 200; at <= 5000; at += 50) rate.add(at);
  expect(rate.add(5050)).toBeCloseTo(20);
});
