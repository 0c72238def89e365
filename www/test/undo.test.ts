import { expect, test } from 'vitest';
import { Undo } from '../src/lib/undo';

test('changes without a pause are one step; each step goes back to the state before it', () => {
  const undo = new Undo<string>(10, 500);
  undo.remember('start', 0);
  undo.remember('dragged a little', 100);
  undo.remember('dragged more', 590);
  undo.remember('at rest', 2000);
  expect([undo.back(), undo.back(), undo.back()]).toEqual(['at rest', 'start', undefined]);
});

test('a change right after going back is a step of its own', () => {
  const undo = new Undo<number>(10, 500);
  undo.remember(1, 0);
  undo.back();
  undo.remember(2, 10);
  expect(undo.back()).toBe(2);
});

test('forgets the oldest beyond its limit', () => {
  const undo = new Undo<number>(2, 0);
  [1, 2, 3].forEach((state) => undo.remember(state, state));
  expect([undo.size, undo.back(), undo.back(), undo.back()]).toEqual([2, 3, 2, undefined]);
});
