import { expect, test } from 'vitest';
import { pictureIn } from '../src/lib/input';

const carrying = (...files: File[]) => ({ files }) as unknown as DataTransfer;
const text = new File(['x'], 'notes.txt', { type: 'text/plain' });
const photo = new File(['x'], 'cat.jpg', { type: 'image/jpeg' });

test('the first picture wins, else the first file, else nothing', () => {
  expect(pictureIn(carrying(text, photo))).toBe(photo);
  expect(pictureIn(carrying(text))).toBe(text);
  expect(pictureIn(carrying())).toBeUndefined();
  expect(pictureIn(null)).toBeUndefined();
});
