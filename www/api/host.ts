import { download } from './download.js';
import type * as EngineModule from './engine.js';
import type { Engine, Photo } from './engine.js';
import { codeOf, messageOf, SklensError } from './error.js';
import type * as PicturesModule from './pictures.js';
import type { AnalyzeRequest, OpenRequest, PhotoSource, Reply, Request } from './protocol.js';
import type { BackendChoice, Result } from './types.js';

/** The worker's side of a session: one engine, the photos it keeps, and what is needed to open the engine again. */
export class Host {
  #engine: Engine | undefined;
  #reopen: ((backend: BackendChoice) => Promise<Engine>) | undefined;
  #backend: BackendChoice = 'auto';
  readonly #photos = new Map<number, Photo>();
  #pictures: Promise<Pick<typeof PicturesModule, 'Picture'>> | undefined;

  constructor(
    private readonly wasm: Pick<typeof EngineModule, 'default' | 'describe' | 'randomWeights' | 'Engine' | 'Photo'>,
    private readonly loadPictures: () => Promise<Pick<typeof PicturesModule, 'default' | 'Picture'>>,
    private readonly reply: (message: Reply) => void,
  ) {}

  /** Answers `request` with exactly one of `opened`, `described`, `results` and `failed`. */
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
      const results = await this.#withDevice((engine) =>
        request.type === 'tensor'
          ? engine.analyzeTensor(request.tensor.data, request.tensor.shape, request.options)
          : this.#analyze(engine, request),
      );
      this.reply({ type: 'results', results, dispatches: this.#engine?.info().dispatches ?? 0 });
    } catch (error) {
      this.reply({ type: 'failed', code: codeOf(error, 'closed'), message: messageOf(error) });
    }
  }

  async #open(request: OpenRequest): Promise<void> {
    const report = (progress: Parameters<Parameters<typeof Engine.open>[3]>[0]) =>
      this.reply({ type: 'progress', progress });
    const ready = this.wasm.default();
    const [given] = await Promise.all([
      typeof request.weights === 'string' ? download(request.weights, report) : request.weights,
      ready,
    ]);
    const weights = given ?? this.wasm.randomWeights(request.model);
    this.#backend = request.backend;
    this.#reopen = async (backend) => {
      const engine = await this.wasm.Engine.open(request.model, weights, backend, report);
      const { classes, metadata } = engine.info();
      if (classes === imagenetClasses && !metadata.labels && metadata.weights !== 'random') engine.nameClasses(await imagenetLabels());
      return engine;
    };
    this.#engine = await this.#reopen(request.backend);
    this.reply({ type: 'opened', info: this.#engine.info(), weights });
  }

  /** Runs `call`; on a lost device opens the engine again and runs it once more, with `auto` on the CPU if need be. */
  async #withDevice(call: (engine: Engine) => Promise<Result[]>): Promise<Result[]> {
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

  async #analyze(engine: Engine, { options, photo, source, forget }: AnalyzeRequest): Promise<Result[]> {
    for (const number of forget) this.#forget(number);
    const kept = photo === null ? undefined : this.#photos.get(photo);
    if (kept) return engine.analyze(kept, options);
    if (!source) throw new SklensError('bad-image', 'The photo is no longer kept and was not sent again.');
    const decoded = await this.#decode(source);
    let keep = false;
    try {
      const results = await engine.analyze(decoded, options);
      keep = photo !== null;
      return results;
    } finally {
      if (keep) this.#photos.set(photo as number, decoded);
      else decoded.free();
    }
  }

  /** Decodes with the module of further formats, which is loaded once. */
  async #decodePicture(bytes: Uint8Array): Promise<Photo> {
    this.#pictures ??= this.loadPictures().then(async (module) => {
      await module.default();
      return module;
    });
    const module = await this.#pictures.catch((error: unknown) => {
      this.#pictures = undefined;
      throw new SklensError('bad-image', `The decoder for this picture could not be loaded: ${messageOf(error)}`);
    });
    const picture = module.Picture.decode(bytes);
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
    if (!(source instanceof Blob)) {
      const image = 'data' in source ? source : pixels(source);
      return this.wasm.Photo.fromRgba(new Uint8ClampedArray(image.data), image.width, image.height);
    }
    const bytes = new Uint8Array(await source.arrayBuffer());
    try {
      return this.wasm.Photo.decode(bytes);
    } catch (error) {
      const { pictures, unsupported } = error as { pictures?: boolean; unsupported?: boolean };
      if (pictures) return this.#decodePicture(bytes);
      if (!unsupported) throw error;
      const bitmap = await createImageBitmap(source).catch(() => {
        throw error;
      });
      const image = pixels(bitmap);
      bitmap.close();
      return this.wasm.Photo.fromRgba(new Uint8ClampedArray(image.data), image.width, image.height);
    }
  }
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
