import { expect, test } from 'vitest';
import { filesIn, pictureIn, weightsIn } from '../src/lib/input';

const text = new File(['x'], 'notes.txt', { type: 'text/plain' });
const photo = new File(['x'], 'cat.jpg', { type: 'image/jpeg' });
const weights = new File(['x'], 'Net.SafeTensors');

const fileEntry = (file: File) => ({ isFile: true, isDirectory: false, file: (done: (file: File) => void) => done(file) });
const damaged = { isFile: true, isDirectory: false, file: (_: unknown, failed: () => void) => failed() };
/** A folder whose reader gives two entries at a time. */
const folder = (...entries: object[]) => ({
  isFile: false,
  isDirectory: true,
  createReader: () => {
    let at = 0;
    return { readEntries: (done: (some: object[]) => void) => done(entries.slice(at, (at += 2))) };
  },
});
const dropping = (files: File[], ...entries: object[]) =>
  ({ files, items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })) }) as unknown as DataTransfer;

test('the first picture wins, else the first file, else nothing', () => {
  expect(pictureIn([text, photo])).toBe(photo);
  expect(pictureIn([text])).toBe(text);
  expect(pictureIn([])).toBeUndefined();
  expect(weightsIn([text, weights])).toBe(weights);
});

test('files are found in folders within folders, beside what cannot be read', async () => {
  const drop = dropping([], folder(fileEntry(text), damaged, folder(), folder(folder(fileEntry(photo))), fileEntry(weights)));
  expect(await filesIn(drop)).toEqual([text, photo, weights]);
  expect(await filesIn(dropping([], folder()))).toEqual([]);
});

test('a drop without folders is taken as it is', async () => {
  expect(await filesIn(dropping([text, photo], fileEntry(text), fileEntry(photo)))).toEqual([text, photo]);
  expect(await filesIn({ files: [photo] } as unknown as DataTransfer)).toEqual([photo]);
  expect(await filesIn(null)).toEqual([]);
});

test('a folder that never ends is left after a thousand files', async () => {
  const many = folder(...Array.from({ length: 3000 }, () => fileEntry(photo)));
  expect(await filesIn(dropping([], many, many))).toHaveLength(1000);
});
