import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';

const built = new URL('../../dist/', import.meta.url);
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.jpg': 'image/jpeg',
  '.webmanifest': 'application/manifest+json',
};

/** What `_headers` wants to be sent with every file, as hosts that know such a file do. */
async function headersOf(folder: URL): Promise<Record<string, string>> {
  const text = await readFile(new URL('_headers', folder), 'utf8').catch(() => '');
  return Object.fromEntries([...text.matchAll(/^ {2}([\w-]+): (.*)$/gm)].map(([, name, value]) => [name, value]));
}

/** Serves `dist/`, or another folder, below `/` or another path on a free local port; `headers` replace those of `_headers`. */
export async function serve(folder = built, below = '/', headers?: Record<string, string>): Promise<{ url: string; server: Server }> {
  const sent = headers ?? (await headersOf(folder));
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = pathname.slice(below.length) || 'index.html';
    try {
      if (!pathname.startsWith(below)) throw new Error('outside');
      const body = await readFile(new URL(decodeURIComponent(path), folder));
      response.writeHead(200, { ...sent, 'content-type': types[extname(path)] ?? 'application/octet-stream', 'content-length': body.length });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${below}`, server };
}
