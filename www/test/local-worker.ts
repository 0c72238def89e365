import { vi } from 'vitest';
import { Host } from '../api/host';
import type { Reply, Request } from '../api/protocol';
import * as fake from './fake-engine';
import * as measure from './fake-measure';
import * as readers from './fake-readers';

/** A worker in this thread: the real host on the fake engine, messages cloned and delivered later. */
export class LocalWorker {
  static last: LocalWorker;
  static sent: Request[] = [];
  onmessage: ((event: { data: Reply }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  terminated = false;
  readonly #host = new Host(
    fake as never,
    { pictures: () => Promise.reject(new Error('no pictures here')), readers: async () => readers, measure: async () => measure },
    (reply) => this.deliver(reply),
  );

  constructor() {
    LocalWorker.last = this;
  }
  /** Takes the place of `Worker`, with everything counted from zero. */
  static install(): void {
    vi.stubGlobal('Worker', LocalWorker);
    LocalWorker.sent = [];
    Object.assign(fake.behaviour, { loseDevice: 0, opened: [], analysed: [], photosAlive: 0, delay: 0, refuse: [], options: [], fields: [] });
  }
  postMessage(request: Request): void {
    LocalWorker.sent.push(request);
    const copy = structuredClone(request);
    setTimeout(() => void (this.terminated || this.#host.handle(copy)));
  }
  deliver(reply: Reply): void {
    if (!this.terminated) this.onmessage?.({ data: structuredClone(reply) });
  }
  terminate(): void {
    this.terminated = true;
  }
}
