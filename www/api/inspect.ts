import { SklensError } from './error.js';
import type { InspectRequest } from './protocol.js';
import type { ErrorCode, InspectOptions, Inspection } from './types.js';
import { checkTimeout, listen, TIMEOUT, Watch } from './watch.js';

/** Asks a worker, which ends with its answer or when its time is over. */
export async function inspectIn(makeWorker: () => Worker, weights: Blob | string, { timeout = TIMEOUT }: InspectOptions): Promise<Inspection> {
  checkTimeout(timeout);
  const worker = makeWorker();
  const watch = new Watch();
  const answer = new Promise<Inspection>((resolve, reject) => {
    const fail = (code: ErrorCode, message: string) => reject(new SklensError(code, message));
    const wait = () => watch.start(timeout, (cause) => fail('stopped', cause));
    listen(
      worker,
      (reply) => {
        if (reply.type === 'inspected') resolve(reply.inspection);
        else if (reply.type === 'failed') fail(reply.code, reply.message);
        else wait();
      },
      (cause) => fail('closed', cause),
    );
    wait();
  });
  worker.postMessage({ type: 'inspect', weights } satisfies InspectRequest);
  return answer.finally(() => {
    watch.stop();
    worker.terminate();
  });
}
