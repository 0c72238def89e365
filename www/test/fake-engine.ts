/** The contract of `engine.js` with numbers that depend on photo, zoom and centre but on no network. For tests and `vite --mode fake`. */
import type { EngineOptions } from '../api/engine';
import type { RunOptions } from '../api/override';
import type { FieldOptions } from '../api/protocol';
import type { Progress, ReceptiveField, Result, SessionInfo, Tuning, WeightPrecision } from '../api/types';
import { models as presets } from './fake-models';

export class CodedError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly marks: { readers?: boolean; unsupported?: boolean } = {},
  ) {
    super(message);
    Object.assign(this, marks);
  }
}

/** Switches for tests. */
export const behaviour = { loseDevice: 0, opened: [] as string[], analysed: [] as number[][], photosAlive: 0, delay: 0, refuse: [] as string[], options: [] as RunOptions[], fields: [] as FieldOptions[] };

export default async function init(): Promise<unknown> {
  return undefined;
}

export function models() {
  return presets;
}

export function describe(model: string) {
  const text = model.startsWith('{') ? (JSON.parse(model) as { sknet: { r?: number } }) : null;
  if (text?.sknet.r === 0) throw new CodedError('bad-option', 'r is 0; it must be from 1 to 1024');
  return presets.find(({ name }) => name === model) ?? { ...presets[1], name: 'sknet', params: 12 };
}

export function randomWeights(): Blob {
  return new Blob(['random']);
}

export class Photo {
  private constructor(
    readonly seed: number,
    readonly width: number,
    readonly height: number,
  ) {
    behaviour.photosAlive++;
  }
  static decode(bytes: Uint8Array): Photo {
    if (String.fromCharCode(...bytes) === 'unsupported') throw new CodedError('bad-image', 'The format is another.', { unsupported: true });
    if (bytes.length < 8) throw new CodedError('bad-image', 'The file is too short to be a picture.');
    return new Photo(bytes.reduce((hash, byte) => (hash * 31 + byte) % 9973, 7) / 9973, 640, 480);
  }
  static fromRgba(data: Uint8ClampedArray | Uint8Array, width: number, height: number): Photo {
    return new Photo((data[0] ?? 0) / 255, width, height);
  }
  free(): void {
    behaviour.photosAlive--;
  }
}

export class Engine {
  #runs = 0;
  private constructor(
    readonly model: string,
    readonly backend: 'gpu' | 'cpu',
    readonly random: boolean,
    readonly precision: WeightPrecision,
    private tuned: number,
  ) {}

  static async open(
    model: string,
    weights: Blob,
    index: string | undefined,
    { backend, precision, tunings }: EngineOptions,
    onProgress: (progress: Progress) => void,
  ): Promise<Engine> {
    behaviour.opened.push(backend);
    if (behaviour.refuse.includes(backend)) throw new CodedError('device-lost', 'There is no GPU here.');
    onProgress({ phase: 'prepare', done: 1, total: 2 });
    const text = await weights.text();
    if (text.startsWith('foreign') && index === undefined) throw new CodedError('bad-weights', 'Only safetensors is read.', { readers: true });
    return new Engine(model, backend === 'gpu' ? 'gpu' : 'cpu', text === 'random', precision, Object.keys(tunings.at(-1)?.choices ?? {}).length);
  }

  info(): SessionInfo {
    const preset = describe(this.model) as (typeof presets)[number];
    return {
      ...preset,
      model: preset.name,
      backend: this.backend,
      adapter: this.backend === 'cpu' ? 'SIMD, one thread' : 'SwiftShader',
      reason: this.backend === 'cpu' ? 'There is no hardware GPU adapter.' : 'Chosen by hand.',
      classes: 200,
      dispatches: this.#runs && this.backend === 'gpu' ? 87 : 0,
      tuned: this.backend === 'gpu' ? this.tuned : 0,
      weightPrecision: this.precision,
      weightBytes: preset.params * (this.precision === 'f16' ? 2 : 4),
      cropPct: 1,
      metadata: { crop_pct: '1.0', ...(this.random ? { weights: 'random' } : {}) },
    };
  }

  async analyze(
    photo: Photo,
    { scales, center, ...options }: { scales: readonly number[]; center: readonly [number, number] } & RunOptions,
  ): Promise<Result[]> {
    if (behaviour.delay) await new Promise((done) => setTimeout(done, behaviour.delay));
    if (behaviour.loseDevice > 0) {
      behaviour.loseDevice--;
      throw new CodedError('device-lost', 'The GPU device was lost.');
    }
    if (scales.some((scale) => !(scale >= 1 && scale <= 8))) throw new CodedError('bad-option', 'Scales must be 1…8.');
    behaviour.analysed.push([...scales]);
    behaviour.options.push(options);
    this.#runs++;
    return scales.map((scale) => this.#result(photo.seed, scale, center));
  }

  async analyzeTensor(
    _data: Float32Array,
    shape: readonly [number, number, number, number],
    options: RunOptions = {},
  ): Promise<Result[]> {
    behaviour.options.push(options);
    return Array.from({ length: shape[0] }, (_, item) => this.#result(item / 10, 1, [0.5, 0.5]));
  }

  async receptiveField(photo: Photo, options: FieldOptions): Promise<ReceptiveField> {
    return this.#field(photo.seed, options);
  }

  async receptiveFieldOfTensor(_data: Float32Array, _shape: readonly number[], options: FieldOptions): Promise<ReceptiveField> {
    return this.#field(0.5, options);
  }

  adopt(tuning: Tuning): boolean {
    if (this.backend === 'gpu') this.tuned = Object.keys(tuning.choices).length;
    return this.backend === 'gpu';
  }

  free(): void {}

  /** A bell around the middle of the input, wider for deeper units and larger kernels. */
  #field(seed: number, options: FieldOptions): ReceptiveField {
    behaviour.fields.push(options);
    const { unit, scale, override } = options;
    const depth = this.info().units.findIndex(({ name }) => name === unit);
    if (depth < 0) throw new CodedError('bad-option', `There is no unit ${unit}.`);
    this.#runs++;
    const side = 112;
    const sizes = { smallest: 11 + 16 * depth, largest: 19 + 32 * depth };
    const forced = override?.['*']?.[0];
    const share = forced === 'smallest' ? 0 : forced === 'largest' ? 1 : 0.4 + 0.1 * scale;
    const expected = sizes.smallest + share * (sizes.largest - sizes.smallest);
    const width = expected / 14;
    const map = Float32Array.from({ length: side * side }, (_, p) => {
      const [x, y] = [(p % side) - 56, Math.floor(p / side) - 56];
      return Math.exp(-(x * x + y * y) / (2 * width * width)) * (1 + 0.4 * Math.sin(x * 0.7 + y * 1.3 + seed * 9));
    });
    const squares = [0.5, 0.9, 0.99].map((share) => {
      const reach = Math.min(56, Math.round(width * Math.sqrt(-2 * Math.log(1 - share))));
      const [low, high] = [56 - reach, Math.min(side, 57 + reach)];
      return { share, side: 2 * reach + 1, bounds: { x0: low, y0: low, x1: high, y1: high } };
    });
    const [low, high] = [56 - (sizes.largest - 1) / 2, 57 + (sizes.largest - 1) / 2];
    const inside = { x0: Math.max(0, low), y0: Math.max(0, low), x1: Math.min(side, high), y1: Math.min(side, high) };
    return {
      unit,
      pixel: [56, 56],
      cell: [7, 7],
      theoretical: { x0: low, y0: low, x1: high, y1: high },
      theoreticalInside: inside,
      sizes: { ...sizes, expected },
      shape: [side, side],
      map,
      squares,
      milliseconds: 12,
    };
  }

  #result(seed: number, scale: number, center: readonly [number, number]): Result {
    const units = this.info().units.map((unit, depth) => {
      const attention = new Float32Array(unit.channels * 2);
      for (let c = 0; c < unit.channels; c++) {
        const wave = Math.sin(c * 12.9898 * (depth + 1)) * 0.55 + Math.sin(c / 23 + depth + seed * 9);
        const lean = (depth - 7) * 0.08 + (scale - 1.5) * (0.3 + 0.2 * Math.sin(depth + seed * 5)) + center[0] - 0.5;
        attention[unit.channels + c] = 1 / (1 + Math.exp(-(wave + lean)));
        attention[c] = 1 - (attention[unit.channels + c] as number);
      }
      const large = attention.subarray(unit.channels).reduce((sum, a) => sum + a, 0) / unit.channels;
      const [smallest, largest] = [11 + 16 * depth, 19 + 32 * depth];
      const receptiveField = { smallest, largest, expected: smallest + large * (largest - smallest) };
      const [meanDifference, expectedKernel] = [2 * large - 1, 3 + 2 * large];
      return { name: unit.name, path: unit.path, attention, meanDifference, expectedKernel, receptiveField };
    });
    const best = 0.3 + 0.2 * Math.sin(scale * 2 + seed * 7);
    const top = [0, 1, 2, 3, 4].map((rank) => ({
      label: ['Egyptian cat', 'tabby cat', 'golden retriever', 'sports car, sport car', 'lemon'][(rank + Math.floor(scale)) % 5] ?? '',
      index: rank,
      probability: best / (1 + rank * 1.4),
    }));
    return { scale, top, logits: new Float32Array(200), units, tensors: {}, milliseconds: 19.3 };
  }
}
