import { download } from './download.js';
import type * as EngineModule from './engine.js';
import type { Engine, EngineOptions, Photo } from './engine.js';
import { codeOf, messageOf, SklensError } from './error.js';
import { LazyModule } from './lazy.js';
import type * as MeasureModule from './measure.js';
import { checkPixels, statedSize } from './pixels.js';
import type * as PicturesModule from './pictures.js';
import type { MeasureRequest, OpenRequest, PhotoSource, Reply, Request, SentPhoto } from './protocol.js';
import type * as ReadersModule from './readers.js';
import type { BackendChoice, Inspection, Progress, SessionInfo, Tuning } from './types.js';

type Pictures = Pick<typeof PicturesModule, 'default' | 'Picture'>;

/** Loads the modules that only some files and questions need. */
export interface SeldomModules {
  pictures: () => Promise<Pictures>;
  readers: () => Promise<typeof ReadersModule>;
  measure: () => Promise<typeof MeasureModule>;
}

/** The worker's side of a session: one engine, the photos it keeps, and what is needed to open the engine again. */
export class Host {
  #engine: Engine | undefined;
  #reopen: ((backend: BackendChoice) => Promise<Engine>) | undefined;
  #backend: BackendChoice = 'auto';
  /** What the open network is, and how it was opened. */
  #opened: Omit<MeasureModule.MeasureRequest, 'classes' | 'size' | 'batch' | 'backend'> | undefined;
  readonly #photos = new Map<number, Photo>();
  readonly #pictures: LazyModule<Pictures>;
  readonly #readers: LazyModule<typeof ReadersModule>;
  readonly #measure: LazyModule<typeof MeasureModule>;

  constructor(
    private readonly wasm: Pick<typeof EngineModule, 'default' | 'describe' | 'randomWeights' | 'Engine' | 'Photo'>,
    load: SeldomModules,
    private readonly reply: (message: Reply) => void,
  ) {
    this.#pictures = new LazyModule(load.pictures, 'bad-image', 'decoder for this picture');
    this.#readers = new LazyModule(load.readers, 'bad-weights', 'reader of this weights file');
    this.#measure = new LazyModule(load.measure, 'bad-option', 'part of the engine that measures');
  }

  /** Answers `request` with exactly one of `opened`, `described`, `inspected`, `results`, `field`, `benchmarked`, `tuned` and `failed`. */
  async handle(request: Request): Promise<void> {
    try {
      if (request.type === 'open') {
        await this.#open(request);
        return;
      }
      if (request.type === 'describe') {
        await this.wasm.default();
        this.reply({ type: 'described', model: this.wasm.describe(request.model) });
        return;
      }
      if (request.type === 'inspect') {
        const [{ inspect }, file] = await Promise.all([this.#readers.get(), fileOf(request.weights, this.#report)]);
        this.reply({ type: 'inspected', inspection: JSON.parse(await inspect(file)) as Inspection });
        return;
      }
      if (request.type === 'field' || request.type === 'tensor-field') {
        const field = await this.#withDevice((engine) =>
          request.type === 'tensor-field'
            ? engine.receptiveFieldOfTensor(request.tensor.data, request.tensor.shape, request.options)
            : this.#withPhoto(request, (photo) => engine.receptiveField(photo, request.options)),
        );
        this.reply({ type: 'field', field, dispatches: this.#engine?.info().dispatches ?? 0 });
        return;
      }
      if (request.type === 'benchmark') {
        const { benchmark } = await this.#measure.get();
        this.reply({ type: 'benchmarked', benchmark: await benchmark(await this.#measured(request)) });
        return;
      }
      if (request.type === 'tune') {
        this.reply({ type: 'tuned', ...(await this.#tune(request)) });
        return;
      }
      const results = await this.#withDevice((engine) =>
        request.type === 'tensor'
          ? engine.analyzeTensor(request.tensor.data, request.tensor.shape, request.options)
          : this.#withPhoto(request, (photo) => engine.analyze(photo, request.options)),
      );
      this.reply({ type: 'results', results, dispatches: this.#engine?.info().dispatches ?? 0 });
    } catch (error) {
      this.reply({ type: 'failed', code: codeOf(error, 'closed'), message: messageOf(error) });
    }
  }

  readonly #report = (progress: Progress) => this.reply({ type: 'progress', progress });

  async #open(request: OpenRequest): Promise<void> {
    const report = this.#report;
    const ready = this.wasm.default();
    const [given] = await Promise.all([request.weights === null ? null : fileOf(request.weights, report, request.sha256), ready]);
    const model = request.model ?? (await (await this.#readers.get()).recognise(given as Blob));
    const weights = given ?? this.wasm.randomWeights(model);
    const { precision, tunings } = request;
    const opened = { model, precision, tunings };
    this.#opened = opened;
    this.#backend = request.backend;
    this.#reopen = async (backend) => {
      const engine = await this.#openWith(model, weights, { backend, precision, tunings: opened.tunings }, report);
      const { classes, metadata } = engine.info();
      if (classes === imagenetClasses && !metadata.labels && metadata.weights !== 'random') engine.nameClasses(await imagenetLabels());
      return engine;
    };
    this.#engine = await this.#reopen(request.backend);
    this.reply({ type: 'opened', info: this.#engine.info(), weights });
  }

  /** What a request to measure is about: the network that runs, where it runs. Losing a device of its own is no loss of the engine's. */
  async #measured({ size, batch }: MeasureRequest): Promise<MeasureModule.MeasureRequest> {
    const { backend, inputSize, classes } = await this.#withDevice(async (engine) => engine.info());
    if (!this.#opened) throw new SklensError('closed', 'The session is not open.');
    return { ...this.#opened, backend, classes, size: size ?? inputSize, batch };
  }

  /** Finds the fastest kernels, which the engine runs from here on, also when it is opened again. */
  async #tune(request: MeasureRequest): Promise<{ tuning: Tuning; info: SessionInfo }> {
    const { tune } = await this.#measure.get();
    const tuning = await tune(await this.#measured(request), this.#report);
    return this.#withDevice(async (engine) => {
      if (!engine.adopt(tuning)) throw new SklensError('bad-option', `The kernels were measured on another adapter, ${tuning.adapter}.`);
      if (this.#opened) this.#opened.tunings = [...this.#opened.tunings, tuning];
      return { tuning, info: engine.info() };
    });
  }

  /** Opens the engine; foreign weights with the module that reads them. */
  async #openWith(model: string, weights: Blob, options: EngineOptions, report: (progress: Progress) => void): Promise<Engine> {
    try {
      return await this.wasm.Engine.open(model, weights, undefined, options, report);
    } catch (error) {
      if (!(error as { readers?: boolean }).readers) throw error;
      const { index } = await this.#readers.get();
      return this.wasm.Engine.open(model, weights, index(weights), options, report);
    }
  }

  /** Runs `call`; on a lost device opens the engine again and runs it once more, with `auto` on the CPU if need be. */
  async #withDevice<Answer>(call: (engine: Engine) => Promise<Answer>): Promise<Answer> {
    const retries: BackendChoice[] = this.#backend === 'auto' ? ['auto', 'cpu'] : [this.#backend];
    let cause = 'The engine had stopped.';
    for (;;) {
      try {
        this.#engine ??= await this.#replacement(retries.shift() as BackendChoice, cause);
        return await call(this.#engine);
      } catch (error) {
        if (codeOf(error, 'closed') !== 'device-lost') throw error;
        cause = messageOf(error);
        this.#engine?.free();
        this.#engine = undefined;
        if (retries.length === 0) throw error;
      }
    }
  }

  async #replacement(backend: BackendChoice, cause: string): Promise<Engine> {
    if (!this.#reopen) throw new SklensError('closed', 'The session is not open.');
    const engine = await this.#reopen(backend);
    this.reply({ type: 'engine', info: engine.info(), cause });
    return engine;
  }

  /** Runs `call` on the photo of a request and keeps it, unless the call fails. */
  async #withPhoto<Answer>({ photo, source, forget }: SentPhoto, call: (photo: Photo) => Promise<Answer>): Promise<Answer> {
    for (const number of forget) this.#forget(number);
    const kept = photo === null ? undefined : this.#photos.get(photo);
    if (kept) return call(kept);
    if (!source) throw new SklensError('bad-image', 'The photo is no longer kept and was not sent again.');
    const decoded = await this.#decode(source);
    let keep = false;
    try {
      const answer = await call(decoded);
      keep = photo !== null;
      return answer;
    } finally {
      if (keep) this.#photos.set(photo as number, decoded);
      else decoded.free();
    }
  }

  /** Decodes with the module of further formats. */
  async #decodePicture(bytes: Uint8Array): Promise<Photo> {
    const { Picture } = await this.#pictures.get();
    const picture = Picture.decode(bytes);
    try {
      return this.wasm.Photo.fromRgb(picture.rgb, picture.width, picture.height);
    } finally {
      picture.free();
    }
  }

  #forget(number: number): void {
    this.#photos.get(number)?.free();
    this.#photos.delete(number);
  }

  async #decode(source: PhotoSource): Promise<Photo> {
    if (!(source instanceof Blob)) return this.#copy(source);
    const bytes = new Uint8Array(await source.arrayBuffer());
    try {
      return this.wasm.Photo.decode(bytes);
    } catch (error) {
      const { pictures, unsupported } = error as { pictures?: boolean; unsupported?: boolean };
      if (pictures) return this.#decodePicture(bytes);
      if (!unsupported) throw error;
      // The browser takes memory for all pixels at once.
      const stated = statedSize(bytes);
      if (stated) checkPixels(...stated);
      const bitmap = await createImageBitmap(source).catch(() => {
        throw error;
      });
      try {
        return this.#copy(bitmap);
      } finally {
        bitmap.close();
      }
    }
  }

  /** Hands over what the browser decoded. */
  #copy(picture: ImageBitmap | ImageData): Photo {
    checkPixels(picture.width, picture.height);
    const { data, width, height } = 'data' in picture ? picture : pixels(picture);
    return this.wasm.Photo.fromRgba(data, width, height);
  }
}

/** The file itself, or what its address gives. */
async function fileOf(weights: Blob | string, report: (progress: Progress) => void, sha256?: string): Promise<Blob> {
  return typeof weights === 'string' ? download(weights, report, sha256) : weights;
}

/** Weights for this many classes whose file names none are taken for ImageNet's. */
const imagenetClasses = 1000;

/** Names are a convenience: without them the classes have numbers. */
async function imagenetLabels(): Promise<string[]> {
  try {
    const response = await fetch(new URL('./models/imagenet1k-labels.json', import.meta.url));
    return response.ok ? ((await response.json()) as string[]) : [];
  } catch {
    return [];
  }
}

function pixels(bitmap: ImageBitmap): ImageData {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  if (!context) throw new SklensError('bad-image', 'The browser offers no canvas to read the picture with.');
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}
