import { SklensError } from './error.js';
import type { InspectRequest, Reply } from './protocol.js';
import type { ErrorCode, Inspection } from './types.js';

/** Asks `worker`, which ends with its answer. */
export function inspectIn(worker: Worker, weights: Blob | string): Promise<Inspection> {
  const answer = new Promise<Inspection>((resolve, reject) => {
    const fail = (code: ErrorCode, message: string) => reject(new SklensError(code, message));
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.type === 'inspected') resolve(data.inspection);
      if (data.type === 'failed') fail(data.code, data.message);
      if (data.type === 'crashed') fail('closed', `The engine stopped: ${data.message}`);
    };
    worker.onerror = ({ message }) => fail('closed', `The worker failed: ${message || 'its script could not be loaded'}.`);
  });
  worker.postMessage({ type: 'inspect', weights } satisfies InspectRequest);
  return answer.finally(() => worker.terminate());
}
