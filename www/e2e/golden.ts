/** The committed goldens: what PyTorch computes for generated weights and inputs (`reference/`). */
import { readFile, readdir } from 'node:fs/promises';

const folder = new URL('../../tests/goldens/', import.meta.url);

export interface Golden {
  network: string;
  classes: number;
  /** Of the input: n, 3, height, width. */
  shape: [number, number, number, number];
  logits: Float32Array;
  /** Attention of every unit by its name: of each item, branch by branch. */
  attention: Record<string, Float32Array>;
}

/** All goldens with logits. */
export async function goldens(): Promise<Golden[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
  return (await Promise.all(files.map(read))).flatMap((golden) => golden ?? []);
}

async function read(name: string): Promise<Golden | null> {
  const { tensors, metadata } = await tensorsIn(new URL(name, folder));
  const { network, classes, shape, parameters } = JSON.parse(metadata.golden ?? '{}') as Golden & { parameters?: string };
  const { logits } = tensors;
  const attention = Object.fromEntries(
    Object.entries(tensors).flatMap(([name, values]) => (name.startsWith('attention.') ? [[name.slice('attention.'.length), values]] : [])),
  );
  return logits && parameters === 'generated' ? { network, classes, shape, logits, attention } : null;
}

/** The f32 tensors of a safetensors file, and the file's metadata. */
export async function tensorsIn(path: URL): Promise<{ tensors: Record<string, Float32Array>; metadata: Record<string, string> }> {
  const file = await readFile(path);
  const start = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: metadata = {}, ...header } = JSON.parse(file.toString('utf8', 8, start)) as Record<string, Entry> & { __metadata__?: Record<string, string> };
  const values = ({ data_offsets: [from, to] }: Entry) => new Float32Array(Uint8Array.from(file.subarray(start + from, start + to)).buffer);
  const tensors = Object.entries(header).flatMap(([name, entry]) => (entry.dtype === 'F32' ? [[name, values(entry)] as const] : []));
  return { tensors: Object.fromEntries(tensors), metadata };
}

interface Entry {
  dtype: string;
  data_offsets: [number, number];
}

/** Largest difference; infinite where they are of different length. */
export function distance(found: readonly number[] = [], expected: Float32Array): number {
  if (found.length !== expected.length) return Infinity;
  return found.reduce((worst, value, index) => Math.max(worst, Number.isFinite(value) ? Math.abs(value - (expected[index] as number)) : Infinity), 0);
}

/** Largest difference relative to the largest expected magnitude. */
export function deviation(found: readonly number[], expected: Float32Array): number {
  return distance(found, expected) / Math.max(...expected.map(Math.abs));
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
