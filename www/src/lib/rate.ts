/** How often something happens. */
export class Rate {
  readonly #times: number[] = [];

  /** Events further back than `span` milliseconds do not count. */
  constructor(private readonly span = 2000) {}

  /** Notes an event at time `now`; the number of events per second, 0 after the first. */
  add(now = performance.now()): number {
    this.#times.push(now);
    while (now - (this.#times[0] ?? now) > this.span) this.#times.shift();
    const [first = now] = this.#times;
    return now > first ? ((this.#times.length - 1) * 1000) / (now - first) : 0;
  }
}
