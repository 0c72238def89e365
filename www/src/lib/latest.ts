/** Runs one job at a time and, of those submitted meanwhile, only the last. */
export class Latest<Job> {
  #next: { job: Job } | undefined;
  #running = false;

  /** `run` must handle its own errors. */
  constructor(private readonly run: (job: Job) => Promise<void>) {}

  /** Runs `job` now, or after the running one unless a later job replaces it. */
  submit(job: Job): void {
    this.#next = { job };
    if (!this.#running) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#running = true;
    try {
      while (this.#next) {
        const { job } = this.#next;
        this.#next = undefined;
        await this.run(job);
      }
    } finally {
      this.#running = false;
    }
  }
}
