import { expect, test, vi } from 'vitest';
import { Question } from '../src/state/question.svelte';

test('only the last question is answered, and the one before is aborted', async () => {
  const question = new Question<string>();
  const signals: AbortSignal[] = [];
  const asked = (answer: string, after: number) =>
    question.ask((signal) => {
      signals.push(signal);
      return new Promise((done) => setTimeout(() => done(answer), after));
    });
  asked('first', 20);
  asked('second', 5);
  expect([question.pending, signals[0]?.aborted]).toEqual([true, true]);
  await vi.waitFor(() => expect(question.pending).toBe(false));
  await new Promise((done) => setTimeout(done, 30));
  expect(question.answer).toBe('second');
});

test('a refusal is told and the answer before stays', async () => {
  const question = new Question<string>();
  question.ask(async () => 'kept');
  await vi.waitFor(() => expect(question.answer).toBe('kept'));
  question.ask(async () => Promise.reject(new Error('No such unit.')));
  await vi.waitFor(() => expect(question.error).toBe('No such unit.'));
  expect([question.answer, question.pending]).toEqual(['kept', false]);
});
