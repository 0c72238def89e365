import { SklensError } from './error.js';
import { runOptions } from './override.js';
import type { AnalyzeRequest, PhotoSource, Reply, Request } from './protocol.js';
import type { AnalyzeOptions, ImageInput, Progress, Result, SessionInfo, TensorInput } from './types.js';

const PHOTOS_KEPT = 4;
const numbers = new WeakMap<object, number>();
let nextNumber = 0;

interface Call {
  request: () => Request;
  resolve: (reply: Extract<Reply, { type: 'opened' | 'results' }>) => void;
  reject: (error: SklensError) => void;
}

/** Fired at a {@link Session} when another backend or adapter has taken over; `info` is current. */
export class EngineEvent extends Event {
  constructor(readonly info: SessionInfo) {
    super('engine');
  }
}

/** A loaded network in a worker of its own. Calls run in order. Fires `engine` ({@link EngineEvent}). */
export class Session extends EventTarget {
  #info: SessionInfo | undefined;
  readonly #worker: Worker;
  readonly #queue: Call[] = [];
  #running: Call | undefined;
  #closed: SklensError | undefined;
  /** Numbers of the photos that the worker keeps, oldest use first. */
  readonly #kept: number[] = [];
  /** The photo that the running request sends for the first time; a failed request leaves it unkept. */
  #unconfirmed: number | undefined;
  readonly #onProgress: ((progress: Progress) => void) | undefined;

  private constructor(worker: Worker, onProgress?: (progress: Progress) => void) {
    super();
    this.#worker = worker;
    this.#onProgress = onProgress;
    worker.onmessage = (event: MessageEvent<Reply>) => this.#receive(event.data);
    worker.onerror = (event) => this.#stop(`The worker failed: ${event.message || 'its script could not be loaded'}.`);
    worker.onmessageerror = () => this.#stop('The worker sent a message that could not be read.');
  }

  /** @internal */
  static async start(worker: Worker, request: Request, onProgress?: (progress: Progress) => void): Promise<Session> {
    const session = new Session(worker, onProgress);
    try {
      const reply = await session.#call(() => request);
      if (reply.type === 'opened') session.#info = reply.info;
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  /** What runs; `dispatches` is the last run's. */
  get info(): SessionInfo {
    return this.#info as SessionInfo;
  }

  /**
   * Analyses one image at every scale, or each item of a ready tensor. `override` replaces attention in this call
   * alone, `tensors` returns what is inside the network.
   *
   * Rejects with `bad-image`, `bad-option`, `closed`, `device-lost` or `aborted`; the session stays usable
   * after all but `closed`.
   */
  async analyze(image: ImageInput, options: AnalyzeOptions = {}): Promise<Result[]> {
    const { signal, scales = [1], center = [0.5, 0.5], size, override, tensors } = options;
    const run = runOptions(override, tensors);
    const source = classify(image);
    if (!scales || !(Symbol.iterator in Object(scales)) || !(Symbol.iterator in Object(center))) {
      throw new SklensError('bad-option', '`scales` must be an array of zooms and `center` an array of two fractions.');
    }
    const plain: AnalyzeRequest['options'] = {
      scales: [...scales],
      center: [...center] as [number, number],
      ...(size === undefined ? {} : { size }),
      ...run,
    };
    const reply = await this.#call(
      () => ('tensor' in source ? { type: 'tensor', tensor: source.tensor, options: run } : this.#photo(source.photo, plain)),
      signal,
    );
    return reply.type === 'results' ? reply.results : [];
  }

  /** Ends the worker and frees all it holds; pending and later calls reject with `closed`. */
  close(): void {
    this.#stop('The session was closed.');
  }

  #call(request: () => Request, signal?: AbortSignal): Promise<Parameters<Call['resolve']>[0]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      const aborted = () => new SklensError('aborted', 'The call was aborted.');
      if (signal?.aborted) return reject(aborted());
      const abort = () => {
        const place = this.#queue.indexOf(call);
        if (place >= 0) this.#queue.splice(place, 1);
        reject(aborted());
      };
      const settled = () => signal?.removeEventListener('abort', abort);
      const call: Call = {
        request,
        resolve: (reply) => (settled(), resolve(reply)),
        reject: (error) => (settled(), reject(error)),
      };
      signal?.addEventListener('abort', abort);
      this.#queue.push(call);
      this.#next();
    });
  }

  #next(): void {
    if (this.#running || this.#closed) return;
    this.#running = this.#queue.shift();
    if (!this.#running) return;
    this.#unconfirmed = undefined;
    try {
      this.#worker.postMessage(this.#running.request());
    } catch (error) {
      this.#forgetUnconfirmed();
      // A detached bitmap or an option that cannot be sent.
      this.#settle((call) => call.reject(new SklensError('bad-image', `The call could not be sent: ${String(error)}`)));
    }
  }

  #settle(end: (call: Call) => void): void {
    const call = this.#running;
    this.#running = undefined;
    if (call) end(call);
    this.#next();
  }

  #receive(reply: Reply): void {
    switch (reply.type) {
      case 'progress':
        this.#onProgress?.(reply.progress);
        break;
      case 'engine':
        this.#info = reply.info;
        this.dispatchEvent(new EngineEvent(reply.info));
        break;
      case 'results':
        if (this.#info) this.#info = { ...this.#info, dispatches: reply.dispatches };
        this.#settle((call) => call.resolve(reply));
        break;
      case 'opened':
        this.#settle((call) => call.resolve(reply));
        break;
      case 'failed':
        this.#forgetUnconfirmed();
        this.#settle((call) => call.reject(new SklensError(reply.code, reply.message)));
        break;
      case 'crashed':
        this.#stop(`The engine stopped: ${reply.message}`);
        break;
    }
  }

  #forgetUnconfirmed(): void {
    if (this.#unconfirmed !== undefined) this.#kept.splice(this.#kept.indexOf(this.#unconfirmed), 1);
  }

  #stop(message: string): void {
    if (this.#closed) return;
    this.#closed = new SklensError('closed', message);
    this.#worker.terminate();
    const pending = [...(this.#running ? [this.#running] : []), ...this.#queue.splice(0)];
    this.#running = undefined;
    for (const call of pending) call.reject(this.#closed);
  }

  #photo(source: PhotoSource, options: AnalyzeRequest['options']): AnalyzeRequest {
    // The pixels of an ImageData may change between calls, so it is sent each time.
    if ('data' in source) return { type: 'analyze', options, photo: null, source, forget: [] };
    let photo = numbers.get(source);
    if (photo === undefined) numbers.set(source, (photo = nextNumber++));
    const place = this.#kept.indexOf(photo);
    if (place >= 0) this.#kept.splice(place, 1);
    this.#kept.push(photo);
    const forget = this.#kept.splice(0, Math.max(0, this.#kept.length - PHOTOS_KEPT));
    if (place < 0) this.#unconfirmed = photo;
    return { type: 'analyze', options, photo, forget, ...(place >= 0 ? {} : { source }) };
  }
}

function classify(image: ImageInput): { photo: PhotoSource } | { tensor: TensorInput } {
  if (image instanceof Blob) return { photo: image };
  if (typeof ImageBitmap !== 'undefined' && image instanceof ImageBitmap) return { photo: image };
  if (typeof ImageData !== 'undefined' && image instanceof ImageData) return { photo: image };
  const { data, shape } = (image ?? {}) as Partial<TensorInput>;
  if (data instanceof Float32Array && Array.isArray(shape)) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    if (shape.length !== 4 || shape[1] !== 3 || count !== data.length) {
      throw new SklensError(
        'bad-image',
        `A tensor needs shape [n, 3, height, width] and as many values; found shape [${shape.join(', ')}] and ${data.length} values.`,
      );
    }
    return { tensor: { data, shape: [...shape] as unknown as TensorInput['shape'] } };
  }
  throw new SklensError('bad-image', 'An image must be a Blob, an ImageBitmap, an ImageData or { data: Float32Array, shape }.');
}
