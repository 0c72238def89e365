/** What `engine.js`, the wasm module, offers to the worker. Its errors are `Error` objects with a `code`. */
import type { RunOptions } from './override.js';
import type { FieldOptions } from './protocol.js';
import type { BackendChoice, ModelInfo, Progress, ReceptiveField, Result, SessionInfo, Tuning, WeightPrecision } from './types.js';

export default function init(module?: { module_or_path: unknown }): Promise<unknown>;
export function models(): ModelInfo[];
/** Takes a preset's name or a description in JSON. */
export function describe(model: string): ModelInfo;
/** A safetensors file for such a network. */
export function randomWeights(model: string): Blob;

export interface EngineOptions {
  backend: BackendChoice;
  precision: WeightPrecision;
  tunings: readonly Tuning[];
}

export class Photo {
  private constructor();
  /** Throws `bad-image`; with `pictures` set where that module decodes it, with `unsupported` where the browser may. */
  static decode(bytes: Uint8Array): Photo;
  static fromRgb(data: Uint8Array, width: number, height: number): Photo;
  static fromRgba(data: Uint8ClampedArray | Uint8Array, width: number, height: number): Photo;
  readonly width: number;
  readonly height: number;
  free(): void;
}

export class Engine {
  private constructor();
  /** Rejects with `bad-weights`; with `readers` set where it wants the `index` that the module of that name gives. */
  static open(
    model: string,
    weights: Blob,
    index: string | undefined,
    options: EngineOptions,
    onProgress: (progress: Progress) => void,
  ): Promise<Engine>;
  info(): SessionInfo;
  /** Names the classes of a file that does not name them itself. */
  nameClasses(labels: string[]): void;
  analyze(
    photo: Photo,
    options: {
      scales: readonly number[];
      center: readonly [number, number];
      size?: number | readonly [number, number];
    } & RunOptions,
  ): Promise<Result[]>;
  analyzeTensor(
    data: Float32Array,
    shape: readonly [number, number, number, number],
    options?: RunOptions,
  ): Promise<Result[]>;
  receptiveField(photo: Photo, options: FieldOptions): Promise<ReceptiveField>;
  receptiveFieldOfTensor(
    data: Float32Array,
    shape: readonly [number, number, number, number],
    options: FieldOptions,
  ): Promise<ReceptiveField>;
  /** Runs from here on what `measure.js` found fastest; tells whether it was measured on this adapter. */
  adopt(tuning: Tuning): boolean;
  free(): void;
}
