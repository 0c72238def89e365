/** Runs a job with the page's next frame; of those submitted before it, only the last. Without frames it runs at once. */
export class NextFrame {
  #next: (() => void) | undefined;

  submit(job: () => void): void {
    if (typeof requestAnimationFrame === 'undefined' || document.hidden) {
      this.#next = undefined;
      return job();
    }
    if (!this.#next) requestAnimationFrame(() => this.#run());
    this.#next = job;
  }

  #run(): void {
    const job = this.#next;
    this.#next = undefined;
    job?.();
  }
}
