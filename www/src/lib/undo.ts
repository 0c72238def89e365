/** Steps back. Changes that follow each other without a pause are one step. */
export class Undo<State> {
  readonly #past: State[] = [];
  #changed = -Infinity;

  /** Keeps at most `limit` states; changes within `pause` milliseconds of each other are one step. */
  constructor(
    private readonly limit = 100,
    private readonly pause = 500,
  ) {}

  get size(): number {
    return this.#past.length;
  }

  /** Call before a change at time `now`, with the state that it is about to replace. */
  remember(state: State, now = performance.now()): void {
    const joined = now - this.#changed < this.pause;
    this.#changed = now;
    if (joined) return;
    this.#past.push(state);
    if (this.#past.length > this.limit) this.#past.shift();
  }

  /** The state before the last step. */
  back(): State | undefined {
    this.#changed = -Infinity;
    return this.#past.pop();
  }
}
