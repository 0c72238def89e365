import { expect, test } from 'vitest';
import { Latest } from '../src/lib/latest';

const tick = () => new Promise((done) => setTimeout(done));

test('jobs submitted while one runs collapse into the last', async () => {
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const latest = new Latest<number>((job) => {
    started.push(job);
    return new Promise((done) => ends.push(done));
  });
  for (const job of [1, 2, 3, 4]) latest.submit(job);
  expect(started).toEqual([1]);
  ends[0]?.();
  await tick();
  expect(started).toEqual([1, 4]);
  ends[1]?.();
  await tick();
  expect(started).toEqual([1, 4]);
  latest.submit(5);
  expect(started).toEqual([1, 4, 5]);
});
