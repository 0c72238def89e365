import { messageOf, SklensError } from './error.js';
import { runOptions } from './override.js';
import { checkPixels } from './pixels.js';
import type { FieldOptions, OpenRequest, PhotoSource, Reply, Request, SentPhoto } from './protocol.js';
import type {
  AnalyzeOptions,
  Benchmark,
  BenchmarkOptions,
  ImageInput,
  ModelInfo,
  NetworkDescription,
  Progress,
  ReceptiveField,
  ReceptiveFieldOptions,
  Result,
  SessionInfo,
  TensorInput,
  TuneOptions,
  Tuning,
} from './types.js';
import { checkTimeout, listen, type Living, TIMEOUT, Watch } from './watch.js';

const PHOTOS_KEPT = 4;
const numbers = new WeakMap<object, number>();
let nextNumber = 0;

/** Workers started in a row without one that opens the network. */
const MAX_RESTARTS = 3;

interface Call {
  request: () => Request;
  resolve: (reply: Extract<Reply, { type: 'opened' | 'described' | 'results' | 'field' | 'benchmarked' | 'tuned' }>) => void;
  reject: (error: SklensError) => void;
  timeout: number;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Whether it opens the network, which comes before all others. */
  opens: boolean;
  /** Whether a worker died of it already. */
  retried: boolean;
}

/** Fired at a {@link Session} when another backend, adapter or worker has taken over; `info` is current. */
export class EngineEvent extends Event {
  constructor(
    readonly info: SessionInfo,
    /** What happened to the one before, a sentence. */
    readonly cause: string,
  ) {
    super('engine');
  }
}

/**
 * A loaded network in a worker of its own. Calls run in order. Fires `engine` ({@link EngineEvent}). A worker that
 * dies is replaced and its call repeated once.
 */
export class Session extends EventTarget {
  #info: SessionInfo | undefined;
  #worker: Worker;
  readonly #queue: Call[] = [];
  #running: Call | undefined;
  readonly #watch = new Watch();
  #closed: SklensError | undefined;
  #restarts = 0;
  /** Numbers of the photos that the worker keeps, oldest use first. */
  readonly #kept: number[] = [];
  /** The photo that the running request sends for the first time; a failed request leaves it unkept. */
  #unconfirmed: number | undefined;

  private constructor(
    private readonly makeWorker: () => Worker,
    private opening: OpenRequest,
    private readonly onProgress?: (progress: Progress) => void,
  ) {
    super();
    this.#worker = this.#listen(makeWorker());
  }

  /** @internal */
  static async start(
    makeWorker: () => Worker,
    request: OpenRequest,
    onProgress?: (progress: Progress) => void,
  ): Promise<Session> {
    const session = new Session(makeWorker, request, onProgress);
    try {
      await session.#open();
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
   * Rejects with `bad-image`, `bad-option`, `closed`, `device-lost`, `stopped` or `aborted`; the session stays usable
   * after all but `closed`.
   */
  async analyze(image: ImageInput, options: AnalyzeOptions = {}): Promise<Result[]> {
    const { signal, timeout = TIMEOUT, scales = [1], center = [0.5, 0.5], size, override, tensors } = options;
    const run = runOptions(override, tensors);
    const source = classify(image);
    if (!scales || !(Symbol.iterator in Object(scales)) || !(Symbol.iterator in Object(center))) {
      throw new SklensError('bad-option', '`scales` must be an array of zooms and `center` an array of two fractions.');
    }
    const plain = {
      scales: [...scales],
      center: [...center] as [number, number],
      ...(size === undefined ? {} : { size }),
      ...run,
    };
    const reply = await this.#call(
      () =>
        'tensor' in source
          ? { type: 'tensor', tensor: source.tensor, options: run }
          : { type: 'analyze', options: plain, ...this.#photo(source.photo) },
      timeout,
      signal,
    );
    return reply.type === 'results' ? reply.results : [];
  }

  /**
   * The receptive field of an SK unit's output at one place of an image: theoretical, weighted with attention, and
   * effective, by back-propagation. The first call for a unit, attention and size takes longer: it prepares the network.
   *
   * Rejects as {@link analyze} does.
   */
  async receptiveField(options: ReceptiveFieldOptions): Promise<ReceptiveField> {
    const { image, unit, position, scale = 1, center = [0.5, 0.5], size, attention = 'fixed', override, signal, timeout = TIMEOUT } = options;
    const { override: replaced } = runOptions(override, undefined);
    const source = classify(image);
    if (!(Symbol.iterator in Object(position)) || !(Symbol.iterator in Object(center))) {
      throw new SklensError('bad-option', '`position` and `center` must be arrays of two fractions.');
    }
    const plain: FieldOptions = {
      unit,
      position: [...position] as [number, number],
      scale,
      center: [...center] as [number, number],
      attention,
      ...(size === undefined ? {} : { size: sides(size) }),
      ...(replaced ? { override: replaced } : {}),
    };
    const reply = await this.#call(
      () =>
        'tensor' in source
          ? { type: 'tensor-field', tensor: source.tensor, options: plain }
          : { type: 'field', options: plain, ...this.#photo(source.photo) },
      timeout,
      signal,
    );
    if (reply.type !== 'field') throw new SklensError('closed', 'The worker answered something else.');
    return reply.field;
  }

  /**
   * Times each layer, with generated weights, on the adapter that runs, against that device's roofline. Takes seconds, on software adapters minutes.
   *
   * Rejects with `bad-option`, `closed`, `device-lost`, `stopped` or `aborted`.
   */
  async benchmark({ size, batch = 1, signal, timeout = TIMEOUT }: BenchmarkOptions = {}): Promise<Benchmark> {
    const request = { type: 'benchmark' as const, batch, ...(size === undefined ? {} : { size: sides(size) }) };
    const reply = await this.#call(() => request, timeout, signal);
    if (reply.type !== 'benchmarked') throw new SklensError('closed', 'The worker answered something else.');
    return reply.benchmark;
  }

  /**
   * Measures which variants of the kernels this graphics adapter runs fastest for inputs of that size and batch, except for
   * shapes that are known already, and uses them from here on. Takes seconds, on software adapters minutes.
   *
   * Rejects as {@link benchmark}; with `bad-option` on the CPU, which has one variant of everything.
   */
  async tune({ size, batch = 1, signal, timeout = TIMEOUT, onProgress }: TuneOptions = {}): Promise<Tuning> {
    const request = { type: 'tune' as const, batch, ...(size === undefined ? {} : { size: sides(size) }) };
    const reply = await this.#call(() => request, timeout, signal, onProgress);
    if (reply.type !== 'tuned') throw new SklensError('closed', 'The worker answered something else.');
    return reply.tuning;
  }

  /**
   * The figures of a network that need not be open. Rejects with `unknown-model`, `bad-option` that names the value at
   * fault, or `closed`.
   */
  async describe(model: string | NetworkDescription): Promise<ModelInfo> {
    const text = typeof model === 'string' ? model : JSON.stringify(model);
    const reply = await this.#call(() => ({ type: 'describe', model: text }), TIMEOUT);
    if (reply.type !== 'described') throw new SklensError('closed', 'The worker answered something else.');
    return reply.model;
  }

  /** Ends the worker and frees all it holds; pending and later calls reject with `closed`. */
  close(): void {
    this.#stop('The session was closed.');
  }

  readonly #opening = () => this.opening;

  async #open(): Promise<void> {
    const reply = await this.#call(this.#opening, TIMEOUT);
    if (reply.type !== 'opened') return;
    this.#info = reply.info;
    this.#restarts = 0;
    this.opening = { ...this.opening, weights: reply.weights };
  }

  #listen(worker: Worker): Worker {
    return listen(worker, (reply) => this.#receive(reply), (cause) => this.#died(cause));
  }

  async #call(
    request: () => Request,
    timeout: number,
    signal?: AbortSignal,
    onProgress?: (progress: Progress) => void,
  ): Promise<Parameters<Call['resolve']>[0]> {
    if (this.#closed) throw this.#closed;
    checkTimeout(timeout);
    return new Promise((resolve, reject) => {
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
        timeout,
        onProgress,
        opens: request === this.#opening,
        retried: false,
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
    this.#wait();
    try {
      this.#worker.postMessage(this.#running.request());
    } catch (error) {
      this.#forgetUnconfirmed();
      // A detached bitmap or an option that cannot be sent.
      this.#settle((call) => call.reject(new SklensError('bad-image', `The call could not be sent: ${String(error)}`)));
    }
  }

  /** Gives the running call its time from here on. */
  #wait(): void {
    const call = this.#running;
    if (call) this.#watch.start(call.timeout, (cause) => this.#died(cause, false));
    else this.#watch.stop();
  }

  /** Ends the worker, starts another and repeats the call that it was working on, unless it died of it before. */
  #died(cause: string, repeat = true): void {
    if (this.#closed) return;
    if (!this.#info || this.#restarts++ >= MAX_RESTARTS) return this.#stop(cause);
    const call = this.#running;
    this.#running = undefined;
    this.#watch.stop();
    this.#worker.terminate();
    this.#kept.length = 0;
    this.#worker = this.#listen(this.makeWorker());
    if (call && (call.opens || (repeat && !call.retried))) {
      call.retried = true;
      this.#queue.unshift(call);
    } else call?.reject(new SklensError('stopped', cause));
    if (call?.opens) return this.#next();
    const waiting = this.#queue.splice(0);
    void this.#open().then(
      () => this.dispatchEvent(new EngineEvent(this.info, cause)),
      (error: unknown) => this.#stop(`${cause} It could not be started again: ${messageOf(error)}`),
    );
    this.#queue.push(...waiting);
  }

  #settle(end: (call: Call) => void): void {
    this.#watch.stop();
    const call = this.#running;
    this.#running = undefined;
    if (call) end(call);
    this.#next();
  }

  #receive(reply: Living): void {
    this.#wait();
    switch (reply.type) {
      case 'progress':
        // The progress of opening again is nobody's to show.
        if (!this.#info) this.onProgress?.(reply.progress);
        else if (reply.progress.phase === 'measure') this.#running?.onProgress?.(reply.progress);
        break;
      case 'engine':
        this.#info = reply.info;
        this.dispatchEvent(new EngineEvent(reply.info, reply.cause));
        break;
      case 'results':
      case 'field':
        if (this.#info) this.#info = { ...this.#info, dispatches: reply.dispatches };
        this.#settle((call) => call.resolve(reply));
        break;
      case 'tuned':
        // Also where the call was aborted: the engine runs these kernels now.
        this.#info = reply.info;
        this.opening = { ...this.opening, tunings: [...this.opening.tunings, reply.tuning] };
        this.#settle((call) => call.resolve(reply));
        break;
      case 'opened':
      case 'described':
      case 'benchmarked':
        this.#settle((call) => call.resolve(reply));
        break;
      case 'failed':
        this.#forgetUnconfirmed();
        this.#settle((call) => call.reject(new SklensError(reply.code, reply.message)));
        break;
    }
  }

  #forgetUnconfirmed(): void {
    if (this.#unconfirmed !== undefined) this.#kept.splice(this.#kept.indexOf(this.#unconfirmed), 1);
  }

  #stop(message: string): void {
    if (this.#closed) return;
    this.#closed = new SklensError('closed', message);
    this.#watch.stop();
    this.#worker.terminate();
    const pending = [...(this.#running ? [this.#running] : []), ...this.#queue.splice(0)];
    this.#running = undefined;
    for (const call of pending) call.reject(this.#closed);
  }

  #photo(source: PhotoSource): SentPhoto {
    // The pixels of an ImageData may change between calls, so it is sent each time.
    if ('data' in source) return { photo: null, source, forget: [] };
    let photo = numbers.get(source);
    if (photo === undefined) numbers.set(source, (photo = nextNumber++));
    const place = this.#kept.indexOf(photo);
    if (place >= 0) this.#kept.splice(place, 1);
    this.#kept.push(photo);
    const forget = this.#kept.splice(0, Math.max(0, this.#kept.length - PHOTOS_KEPT));
    if (place < 0) this.#unconfirmed = photo;
    return { photo, forget, ...(place >= 0 ? {} : { source }) };
  }
}

/** Height and width. */
function sides(size: number | readonly [number, number]): [number, number] {
  return typeof size === 'number' ? [size, size] : [size[0], size[1]];
}

function classify(image: ImageInput): { photo: PhotoSource } | { tensor: TensorInput } {
  if (image instanceof Blob) return { photo: image };
  if (isPixels(image)) {
    // Sending them to the worker copies them.
    checkPixels(image.width, image.height);
    return { photo: image };
  }
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

function isPixels(image: unknown): image is ImageBitmap | ImageData {
  return [globalThis.ImageBitmap, globalThis.ImageData].some((kind) => (kind as unknown) && image instanceof kind);
}
