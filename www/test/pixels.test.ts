import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkPixels, MAX_PIXELS, statedSize } from '../api/pixels';
import * as sklens from '../api/sklens';
import { avif, bmp, gif } from '../e2e/pictures';
import { LocalWorker } from './local-worker';

test('the limit is the engine’s', () => {
  const decode = readFileSync(new URL('../../src/image/decode.rs', import.meta.url), 'utf8');
  expect(decode).toContain(`MAX_PIXELS: u64 = ${MAX_PIXELS.toString().replace(/(?<=\d)(?=(\d{3})+$)/g, '_')};`);
  expect(() => checkPixels(12_000, 12_000)).not.toThrow();
  expect(() => checkPixels(12_001, 12_000)).toThrow('12001×12000');
});

test.each([
  ['GIF', gif],
  ['BMP', bmp],
  ['AVIF', avif],
])('the size that a header of %s states', (_, picture) => {
  const file = picture(13_000, 12_000);
  expect(statedSize(file)).toEqual([13_000, 12_000]);
  // A header that breaks off tells nothing, or what it had told, and never fails.
  for (let length = 0; length < Math.min(file.length, 400); length++) expect([undefined, 13_000]).toContain(statedSize(file.subarray(0, length))?.[0]);
});

test('the oldest BMP has short sides; other files state nothing', () => {
  const old = bmp(1, 1);
  old.writeUInt32LE(12, 14);
  old.writeUInt16LE(40_000, 18);
  old.writeUInt16LE(50_000, 20);
  expect(statedSize(old)).toEqual([40_000, 50_000]);
  expect(statedSize(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toBeUndefined();
});

test('boxes that lie about their length end the search', () => {
  const file = avif(9, 9);
  for (const at of [32, file.indexOf('iprp') - 4, file.indexOf('ispe') - 4]) {
    for (const length of [0, 1, 7, 0xffffffff]) {
      const damaged = Buffer.from(file);
      damaged.writeUInt32BE(length, at);
      expect([undefined, 9]).toContain(statedSize(damaged)?.[0]);
    }
  }
});

describe('pixels that a program brings', () => {
  beforeEach(() => LocalWorker.install());
  afterEach(() => vi.unstubAllGlobals());

  test.each(['ImageData', 'ImageBitmap'])('as %s are refused before they are sent', async (kind) => {
    class Pixels {
      readonly data = new Uint8ClampedArray(4);
      constructor(
        readonly width: number,
        readonly height: number,
      ) {}
    }
    vi.stubGlobal(kind, Pixels);
    const session = await sklens.open({ model: sklens.bundledModels()[0] as string });
    LocalWorker.sent = [];
    await expect(session.analyze(new Pixels(12_001, 12_000) as never)).rejects.toMatchObject({ code: 'bad-image', message: expect.stringContaining('12001×12000') });
    await expect(session.receptiveField({ image: new Pixels(12_001, 12_000) as never, unit: 'SK_3_4', position: [0, 0] })).rejects.toMatchObject({ code: 'bad-image' });
    expect(LocalWorker.sent).toEqual([]);
    session.close();
  });

  test('are refused once more where a browser gave another size than the header', async () => {
    const session = await sklens.open({ model: sklens.bundledModels()[0] as string });
    let closed = 0;
    vi.stubGlobal('createImageBitmap', async () => ({ width: 12_001, height: 12_000, close: () => closed++ }));
    await expect(session.analyze(new Blob(['unsupported']))).rejects.toMatchObject({ code: 'bad-image', message: expect.stringContaining('12001×12000') });
    expect(closed).toBe(1);
    session.close();
  });
});
