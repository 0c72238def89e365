/** SK Lens: Selective Kernel networks in the browser. The network runs in a Web Worker, one per session. */
import { SklensError } from './error.js';
import { inspectIn } from './inspect.js';
import { bundled, models as presets } from './models.js';
import { defaultPrecision } from './precision.js';
import type { OpenRequest } from './protocol.js';
import { Session } from './session.js';
import type { InspectOptions, Inspection, ModelInfo, OpenOptions, WeightsSource } from './types.js';

export { SklensError } from './error.js';
export { MAX_PIXELS } from './pixels.js';
export { EngineEvent, Session } from './session.js';
export type * from './types.js';

/** The presets, those without bundled weights included. */
export function models(): ModelInfo[] {
  return structuredClone(presets) as ModelInfo[];
}

/** The presets that open without `weights`. */
export function bundledModels(): string[] {
  return Object.keys(bundled);
}

/** Where the bundled weights of a preset are; undefined if it has none. */
export function bundledWeights(model: string): string | undefined {
  const file = bundled[model];
  return file && (resolved(file.url) as string);
}

/**
 * Loads a network; without `model` the one that `weights` are recognised as.
 *
 * Rejects with `unknown-model`, `no-weights`, `bad-weights`, `bad-option` or `device-lost` (a GPU was asked for
 * and there is none).
 */
export async function open(options: OpenOptions): Promise<Session> {
  const { model, weights, random = false, backend = 'auto', weightPrecision = 'auto', tunings = [], onProgress } = options;
  if (model === undefined && (random || weights === undefined)) {
    throw new SklensError('bad-option', 'Pass `model`, or `weights` to recognise it from.');
  }
  const name = typeof model === 'string' ? presetName(model) : model ? JSON.stringify(model) : null;
  if (!['auto', 'gpu', 'cpu'].includes(backend)) {
    throw new SklensError('bad-option', `There is no backend “${backend}”. Use auto, gpu or cpu.`);
  }
  if (!['auto', 'f32', 'f16'].includes(weightPrecision)) {
    throw new SklensError('bad-option', `There is no weight precision “${weightPrecision}”. Use auto, f32 or f16.`);
  }
  const precision = weightPrecision === 'auto' ? defaultPrecision(globalThis.navigator) : weightPrecision;
  const request: OpenRequest = { type: 'open', model: name, backend, precision, tunings, ...(random ? { weights: null } : located(name, weights)) };
  return Session.start(startWorker, request, onProgress);
}

/**
 * Tells what a weights file holds, without reading the weights, and which network it is of.
 *
 * Rejects with `bad-weights`, `bad-option`, `closed` if the worker cannot run, or `stopped` if it gives no answer in time.
 */
export async function inspect(weights: WeightsSource, options: InspectOptions = {}): Promise<Inspection> {
  return inspectIn(startWorker, resolved(weights), options);
}

function startWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
}

function presetName(model: string): string {
  const preset = presets.find(({ name, aliases }) => name === model || aliases.includes(model));
  if (preset) return preset.name;
  const known = presets.flatMap(({ name, aliases }) => [name, ...aliases]);
  throw new SklensError('unknown-model', `There is no model “${model}”. Known models: ${known.join(', ')}.`);
}

function located(model: string | null, weights: WeightsSource | undefined): Pick<OpenRequest, 'weights' | 'sha256'> {
  if (weights !== undefined) return { weights: resolved(weights) };
  const file = model === null ? undefined : bundled[model];
  if (file) return { weights: resolved(file.url), sha256: file.sha256 };
  throw new SklensError(
    'no-weights',
    `No weights ship with ${model}: pass \`weights\`, a weights file or its URL. Bundled: ${bundledModels().join(', ') || 'none'}.`,
  );
}

function resolved(source: WeightsSource): Blob | string {
  return source instanceof Blob ? source : new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}
