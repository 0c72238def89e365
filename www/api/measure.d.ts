/** What `measure.js`, the wasm module of measurements, offers to the worker. It has a device and weights of its own. */
import type { EngineOptions } from './engine.js';
import type { Benchmark, Progress, Tuning } from './types.js';

export default function init(module?: { module_or_path: unknown }): Promise<unknown>;

export interface MeasureRequest extends EngineOptions {
  /** A preset's name or a description in JSON. */
  model: string;
  classes: number;
  /** Height and width. */
  size: readonly [number, number];
  batch: number;
}

/** Rejects with `bad-option` or `device-lost`. */
export function benchmark(request: MeasureRequest): Promise<Benchmark>;
/** The same, also with `bad-option` on the CPU. Resolves with all that is known of the adapter then. */
export function tune(request: MeasureRequest, onProgress: (progress: Progress) => void): Promise<Tuning>;
