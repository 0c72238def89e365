/** The contract of `measure.js`: all layers are equally fast, and one shape of each batch is tuned. */
import type { MeasureRequest } from '../api/measure';
import type { Benchmark, Progress, Tuning } from '../api/types';
import { CodedError } from './fake-engine';
import { models as presets } from './fake-models';

export default async function init(): Promise<unknown> {
  return undefined;
}

/** Switches for tests. */
export const behaviour = { lost: false };

function check({ batch }: MeasureRequest): void {
  if (behaviour.lost) throw new CodedError('device-lost', 'The adapter is out of memory for the weights.');
  if (!(batch >= 1)) throw new CodedError('bad-option', `the batch is ${batch}; it must be from 1 to 64 at this size`);
}

export async function benchmark(request: MeasureRequest): Promise<Benchmark> {
  check(request);
  const { size, batch, model } = request;
  const units = presets.find(({ name }) => name === model)?.units ?? [];
  const layers = units.map(({ path, channels }, depth) => {
    const [macs, bytes] = [channels * 1e5 * batch, 4e5 * batch];
    const rooflineMilliseconds = Math.max(macs / 2e7, bytes / 1e7);
    return { name: path, kernel: 'sk_branches', macs, bytes, milliseconds: rooflineMilliseconds * (1 + (depth % 5)), rooflineMilliseconds };
  });
  return { size: [...size], batch, milliseconds: 19.3, roofline: { gflops: 40, gigabytes: 10 }, layers };
}

export async function tune(request: MeasureRequest, onProgress: (progress: Progress) => void): Promise<Tuning> {
  check(request);
  if (request.backend === 'cpu') throw new CodedError('bad-option', 'The CPU has nothing to tune.');
  for (const done of [0, 1, 2]) onProgress({ phase: 'measure', done, total: 2 });
  const known = request.tunings.at(-1)?.choices;
  return { adapter: 'SwiftShader', version: '1', choices: { ...known, [`pointwise 1 1 1 ${request.batch}`]: '8x8' } };
}
