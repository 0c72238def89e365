/** The committed goldens: what PyTorch computes for generated weights and inputs (`reference/`). */
import { readFile, readdir } from 'node:fs/promises';

const folder = new URL('../../tests/goldens/', import.meta.url);

export interface Golden {
  network: string;
  classes: number;
  /** Of the input: n, 3, height, width. */
  shape: [number, number, number, number];
  logits: Float32Array;
}

/** All goldens with logits. */
export async function goldens(): Promise<Golden[]> {
  const files = await readdir(folder);
  return (await Promise.all(files.map(read))).flatMap((golden) => golden ?? []);
}

async function read(name: string): Promise<Golden | null> {
  const file = await readFile(new URL(name, folder));
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, start));
  const { network, classes, shape, parameters } = JSON.parse(header.__metadata__?.golden ?? '{}') as Golden & { parameters?: string };
  if (!header.logits || parameters !== 'generated') return null;
  const [from, to] = header.logits.data_offsets as [number, number];
  const logits = new Float32Array(Uint8Array.from(file.subarray(start + from, start + to)).buffer);
  return { network, classes, shape, logits };
}

/** The generated tensor `input`, as `reference/generator.py` defines it: splitmix64 seeded with FNV-1a of the name. */
export function input(length: number): Float32Array {
  const mask = (1n << 64n) - 1n;
  const key = [...Buffer.from('input')].reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x100000001b3n) & mask, 0xcbf29ce484222325n);
  return Float32Array.from({ length }, (_, index) => {
    let z = (key + BigInt(index + 1) * 0x9e3779b97f4a7c15n) & mask;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return 2 * (Number((z ^ (z >> 31n)) >> 40n) / (1 << 23) - 1);
  });
}
