import { afterEach, expect, test, vi } from 'vitest';
import { NextFrame } from '../src/lib/frame';

afterEach(() => vi.unstubAllGlobals());

function frames(): () => void {
  const waiting: (() => void)[] = [];
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => waiting.push(draw));
  vi.stubGlobal('document', { hidden: false });
  return () => waiting.splice(0).forEach((draw) => draw());
}

test('of the jobs before a frame the last runs, with that frame', () => {
  const paint = frames();
  const done: number[] = [];
  const next = new NextFrame();
  for (const job of [1, 2, 3]) next.submit(() => done.push(job));
  expect(done).toEqual([]);
  paint();
  expect(done).toEqual([3]);
  paint();
  next.submit(() => done.push(4));
  paint();
  expect(done).toEqual([3, 4]);
});

test('a hidden page shows no frames: the job runs at once, and none from before comes after it', () => {
  const paint = frames();
  const done: number[] = [];
  const next = new NextFrame();
  next.submit(() => done.push(1));
  vi.stubGlobal('document', { hidden: true });
  next.submit(() => done.push(2));
  expect(done).toEqual([2]);
  paint();
  expect(done).toEqual([2]);
});
