/** SK Lens: Selective Kernel networks in the browser. The network runs in a Web Worker, one per session. */
import { SklensError } from './error.js';
import { bundled, models as presets } from './models.js';
import type { OpenRequest } from './protocol.js';
import { Session } from './session.js';
import type { ModelInfo, OpenOptions } from './types.js';

export { SklensError } from './error.js';
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

/**
 * Loads a network.
 *
 * Rejects with `unknown-model`, `no-weights`, `bad-weights`, `bad-option` or `device-lost` (a GPU was asked for
 * and there is none).
 */
export async function open({ model, weights, random = false, backend = 'auto', onProgress }: OpenOptions): Promise<Session> {
  const name = typeof model === 'string' ? presetName(model) : JSON.stringify(model);
  if (!['auto', 'gpu', 'cpu'].includes(backend)) {
    throw new SklensError('bad-option', `There is no backend “${backend}”. Use auto, gpu or cpu.`);
  }
  const request: OpenRequest = { type: 'open', model: name, weights: random ? null : located(name, weights), backend };
  return Session.start(() => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }), request, onProgress);
}

function presetName(model: string): string {
  const preset = presets.find(({ name, aliases }) => name === model || aliases.includes(model));
  if (preset) return preset.name;
  const known = presets.flatMap(({ name, aliases }) => [name, ...aliases]);
  throw new SklensError('unknown-model', `There is no model “${model}”. Known models: ${known.join(', ')}.`);
}

function located(model: string, weights: OpenOptions['weights']): Blob | string {
  const source = weights ?? bundled[model];
  if (source === undefined) {
    throw new SklensError(
      'no-weights',
      `No weights ship with ${model}: pass \`weights\`, a safetensors file or its URL. Bundled: ${bundledModels().join(', ') || 'none'}.`,
    );
  }
  return source instanceof Blob ? source : new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}
