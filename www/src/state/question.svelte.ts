import type { SklensError } from 'sklens';
import { untrack } from 'svelte';

/** What a view asks besides the page's own analysis: the last question counts, an earlier one is aborted. */
export class Question<Answer> {
  answer: Answer | null = $state.raw(null);
  pending = $state(false);
  error: string | null = $state(null);
  #running: AbortController | undefined;

  /** Asks; the answer to the question before stays until this one has its own. */
  ask(run: (signal: AbortSignal) => Promise<Answer>): void {
    this.drop();
    const turn = new AbortController();
    this.#running = turn;
    this.pending = true;
    void this.#wait(run, turn);
  }

  /** Forgets the question under way. */
  drop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.pending = false;
  }

  async #wait(run: (signal: AbortSignal) => Promise<Answer>, turn: AbortController): Promise<void> {
    try {
      // What the question reads is the asker's business, not that of the effect that asks.
      const answer = await untrack(() => run(turn.signal));
      if (turn.signal.aborted) return;
      this.answer = answer;
      this.error = null;
    } catch (error) {
      if (turn.signal.aborted || (error as SklensError).code === 'closed') return;
      this.error = error instanceof Error ? error.message : String(error);
    } finally {
      if (this.#running === turn) this.drop();
    }
  }
}
