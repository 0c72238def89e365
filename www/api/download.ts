import { messageOf, SklensError } from './error.js';
import type { Progress } from './types.js';

/** Fetches `url` piece by piece, reporting bytes, and compares its hash with `sha256` if given. Throws `bad-weights`. */
export async function download(url: string, onProgress: (progress: Progress) => void, sha256?: string): Promise<Blob> {
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
  const file = new Blob(parts);
  if (sha256) await compare(file, sha256, url);
  return file;
}

async function compare(file: Blob, expected: string, url: string): Promise<void> {
  // Missing where a site is not on https: there the expected hash itself is as easy to change as the file.
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle) return;
  const digest = new Uint8Array(await subtle.digest('SHA-256', await file.arrayBuffer()));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (found === expected) return;
  throw new SklensError('bad-weights', `The weights at ${url} are damaged: their SHA-256 is ${found} and should be ${expected}. Load the page again.`);
}
