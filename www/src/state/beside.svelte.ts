import type { Result } from 'sklens';
import type { Explorer } from '../state.svelte';
import { RunningNetwork } from './network.svelte';
import { Question } from './question.svelte';

/** A second network that looks at what is on show, in a session of its own. */
export class Beside extends RunningNetwork {
  readonly question = new Question<Result | null>();

  constructor(private readonly explorer: Explorer) {
    super();
    this.close();
  }

  /** Analyses what is on show at one zoom. */
  look(scale: number): void {
    const { session } = this;
    const { photo, center } = this.explorer;
    if (!session || !photo) return this.question.drop();
    this.question.ask(async (signal) => (await session.analyze(photo.input, { scales: [scale], center, signal }))[0] ?? null);
  }

  override close(): void {
    super.close();
    this.forget();
  }

  protected forget(): void {
    this.question.drop();
    this.question.answer = null;
  }

  protected opened(): void {
    // Each look is the view's to ask for.
  }
}
