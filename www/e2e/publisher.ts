/** A host of weights that behaves as told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Mood = 'well' | 'missing' | 'closed to others' | 'breaks off' | 'hangs' | 'silent';

export interface Publisher {
  url: string;
  server: Server;
  file: Buffer;
  mood: Mood;
  /** What was asked for, `PATH RANGE`. */
  asked: string[];
}

/** Serves `file` at every address; where it breaks off or hangs, after `after` bytes. */
export async function publish(file: Buffer, after: number): Promise<Publisher> {
  const server = createServer((request, response) => answer(publisher, file, after, request, response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const publisher: Publisher = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    server,
    file,
    mood: 'well',
    asked: [],
  };
  return publisher;
}

function answer({ mood, asked }: Publisher, file: Buffer, after: number, request: IncomingMessage, response: ServerResponse): void {
  if (mood !== 'closed to others') {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', 'range, if-range');
    response.setHeader('access-control-expose-headers', 'etag, content-range, content-length');
  }
  if (request.method === 'OPTIONS') return void response.writeHead(204).end();
  const { range } = request.headers;
  asked.push([request.url, range].filter(Boolean).join(' '));
  if (mood === 'missing') return void response.writeHead(404).end();
  if (mood === 'silent') return;
  const same = request.headers['if-range'] === '"one"';
  const start = range && same ? Number(/bytes=(\d+)-/.exec(range)?.[1]) : 0;
  response.writeHead(start > 0 ? 206 : 200, {
    etag: '"one"',
    'content-length': file.length - start,
    ...(start > 0 ? { 'content-range': `bytes ${start}-${file.length - 1}/${file.length}` } : {}),
  });
  if (mood === 'well' || mood === 'closed to others') return void response.end(file.subarray(start));
  response.write(file.subarray(start, start + after), () => {
    if (mood === 'breaks off') setTimeout(() => response.destroy(), 1000);
  });
}
