/** Fetching weights into the store: piece by piece, checked, and going on where an earlier attempt broke off. */
import { t } from '../strings';
import { Folder, PIECE } from './store';

/** Where a download stands. */
export interface DownloadProgress {
  done: number;
  /** Null where the server did not say. */
  total: number | null;
  /** Bytes per second of this attempt; 0 at its start. */
  speed: number;
}

export interface Wanted {
  id: string;
  url: string;
  sha256?: string;
}

/** Milliseconds after which a server that says nothing is given up: phones change cells within seconds. */
const PATIENCE = 30_000;

/**
 * Downloads into the store; resolves once the whole file is there and has the right hash. Throws an `Error` for people,
 * or `signal`'s reason. What arrived before a failure is kept, except where it was the wrong file.
 */
export async function download(
  wanted: Wanted,
  signal: AbortSignal,
  onProgress: (progress: DownloadProgress) => void,
  patience = PATIENCE,
): Promise<void> {
  const stalled = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(new Error(t.downloads.stalled(patience / 1000))), patience);
  };
  try {
    await fetchInto(wanted, AbortSignal.any([signal, stalled.signal]), onProgress, wait);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `wait` whenever the server's next word is waited for. */
async function fetchInto(
  wanted: Wanted,
  signal: AbortSignal,
  onProgress: (progress: DownloadProgress) => void,
  wait: () => void,
): Promise<void> {
  wait();
  const folder = await Folder.open(wanted.id);
  const { response, resumed, etag, size } = await request(folder, wanted, signal);
  const { sha256 } = await import('@noble/hashes/sha2.js');
  const hash = sha256.create();
  let index = 0;
  let done = 0;
  for (const piece of resumed) {
    hash.update(new Uint8Array(await piece.arrayBuffer()));
    done += piece.size;
    index++;
  }
  const about = { url: wanted.url, etag, size };
  await folder.describe({ ...about, complete: false });
  const [start, before] = [performance.now(), done];
  const report = (received: number) => {
    wait();
    const seconds = (performance.now() - start) / 1000;
    onProgress({ done: received, total: size, speed: seconds > 0 ? (received - before) / seconds : 0 });
  };
  const keep = async (bytes: Uint8Array<ArrayBuffer>) => {
    hash.update(bytes);
    await folder.append(index++, bytes);
    done += bytes.length;
  };
  wait();
  const rest = await eachPiece(response.body as ReadableStream<Uint8Array<ArrayBuffer>>, keep, (pending) => report(done + pending), signal);
  if (size !== null && done + rest.length < size) throw new Error(t.downloads.brokenOff);
  if (rest.length > 0) await keep(rest);
  const found = [...hash.digest()].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if ((size !== null && done !== size) || (wanted.sha256 && found !== wanted.sha256)) {
    await folder.clear();
    throw new Error(t.downloads.wrongFile);
  }
  await folder.describe({ ...about, size: done, complete: true, sha256: found });
}

interface Answer {
  response: Response;
  /** The stored pieces that the body goes on from. */
  resumed: File[];
  etag: string | null;
  size: number | null;
}

/** Asks for the file, or for what is missing of the same version of it. */
async function request(folder: Folder, wanted: Wanted, signal: AbortSignal): Promise<Answer> {
  const { url } = wanted;
  const about = await folder.about();
  const pieces = about && !about.complete && about.url === url && about.etag ? await folder.pieces() : [];
  const have = pieces.reduce((sum, { size }) => sum + size, 0);
  const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-`, 'if-range': about?.etag ?? '' } : {};
  const response = await fetch(url, { headers, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new Error(t.downloads.unreachable(url, error instanceof Error ? error.message : String(error)));
  });
  if (response.status === 416 && have > 0) {
    await folder.clear();
    return request(folder, wanted, signal);
  }
  if (!response.ok || !response.body) throw new Error(t.downloads.refused(url, response.status));
  const resumes = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${have}-`);
  if (have > 0 && !resumes) await folder.clear();
  const length = response.headers.has('content-encoding') ? null : response.headers.get('content-length');
  const resumed = resumes ? pieces : [];
  const size = length === null ? null : Number(length) + (resumes ? have : 0);
  // A weak tag does not promise the same bytes.
  const etag = response.headers.get('etag');
  return { response, resumed, size, etag: etag?.startsWith('W/') ? null : etag };
}

/** Hands on pieces of {@link PIECE} bytes; resolves with what is left. */
async function eachPiece(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  keep: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  report: (pending: number) => void,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let buffer = new Uint8Array(PIECE);
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      signal.throwIfAborted();
      throw new Error(t.downloads.brokenOff);
    });
    if (done) return buffer.slice(0, filled);
    for (let at = 0; at < value.length; ) {
      const count = Math.min(PIECE - filled, value.length - at);
      buffer.set(value.subarray(at, at + count), filled);
      at += count;
      filled += count;
      if (filled === PIECE) {
        await keep(buffer);
        buffer = new Uint8Array(PIECE);
        filled = 0;
      }
    }
    report(filled);
  }
}
