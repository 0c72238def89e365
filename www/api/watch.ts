import { SklensError } from './error.js';
import type { Reply } from './protocol.js';

/** Ten minutes: the largest networks take minutes for a batch on one thread. */
export const TIMEOUT = 600_000;
/** The time of a call passes in as many parts: the sleep of a machine or a page, however long, is one of them. */
const PARTS = 8;

/** Throws `bad-option` for what is no time to wait. */
export function checkTimeout(timeout: number): void {
  if (!(timeout > 0)) throw new SklensError('bad-option', '`timeout` must be a number of milliseconds above 0.');
}

/** Waits for a sign of life. */
export class Watch {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins anew, and calls `passed` with a sentence after `timeout` milliseconds. */
  start(timeout: number, passed: (cause: string) => void, part = 1): void {
    this.stop();
    const next = () => (part < PARTS ? this.start(timeout, passed, part + 1) : passed(`The engine gave no answer for ${timeout / 1000} s.`));
    // Longer delays overflow and would fire at once.
    this.#timer = setTimeout(next, Math.min(timeout / PARTS, 0x7fffffff));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** What a worker that lives says. */
export type Living = Exclude<Reply, { type: 'crashed' }>;

/** Hands what `worker` says to `receive`, and a sentence to `died` where it can say no more. */
export function listen(worker: Worker, receive: (reply: Living) => void, died: (cause: string) => void): Worker {
  worker.onmessage = ({ data }: MessageEvent<Reply>) => {
    if (data.type === 'crashed') died(`The engine stopped: ${data.message}`);
    else receive(data);
  };
  worker.onerror = ({ message }) => died(`The worker failed: ${message || 'its script could not be loaded'}.`);
  worker.onmessageerror = () => died('The worker sent a message that could not be read.');
  return worker;
}
