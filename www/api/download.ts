import { messageOf, SklensError } from './error.js';
import type { Progress } from './types.js';

/** Fetches `url` piece by piece, reporting bytes. Throws `bad-weights`. */
export async function download(url: string, onProgress: (progress: Progress) => void): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new SklensError('bad-weights', `The weights at ${url} could not be fetched: ${messageOf(error)}`);
  }
  if (!response.ok || !response.body) {
    throw new SklensError('bad-weights', `The weights at ${url} could not be fetched: the server answered ${response.status}.`);
  }
  // Content-Length counts encoded bytes, the stream decoded ones.
  const total = response.headers.has('content-encoding') ? 0 : Number(response.headers.get('content-length') ?? 0);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body.getReader();
  let done = 0;
  try {
    for (;;) {
      const piece = await reader.read();
      if (piece.done) break;
      parts.push(piece.value);
      done += piece.value.byteLength;
      onProgress({ phase: 'download', done, total });
    }
  } catch (error) {
    throw new SklensError('bad-weights', `The download of ${url} broke off after ${done} bytes: ${messageOf(error)}`);
  }
  return new Blob(parts);
}
