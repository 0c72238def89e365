/** Weights files of any size, written by the tests themselves. */
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** A safetensors file that fits the preset, written by the engine. */
export async function randomWeights(model: string): Promise<Buffer> {
  const pkg = new URL('../../pkg/', import.meta.url);
  const engine = await import(/* @vite-ignore */ new URL('engine.js', pkg).href);
  await engine.default({ module_or_path: await readFile(new URL('engine_bg.wasm', pkg)) });
  return Buffer.from(await (engine.randomWeights(model) as Blob).arrayBuffer());
}

/** The f32 tensors of a safetensors file as `torch.save` writes a state dict: a zip archive with a pickle and a file for each storage. */
export function pth(safetensors: Buffer): Buffer {
  const start = 8 + Number(safetensors.readBigUInt64LE());
  const header = JSON.parse(safetensors.toString('utf8', 8, start)) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const tensors = Object.entries(header).filter(([, { dtype }]) => dtype === 'F32');
  const items = tensors.map(([name, { shape }], key) => [text(name), tensor(key, shape)]);
  const pickle = Buffer.concat([Buffer.from([0x80, 2]), ...op('}('), ...items.flat(2), ...op('u.')]);
  const storages = tensors.map(([, { data_offsets: [from, to] }], key) => [`archive/data/${key}`, safetensors.subarray(start + from, start + to)] as const);
  return zip([['archive/data.pkl', pickle], ...storages, ['archive/version', Buffer.from('3\n')]]);
}

const op = (codes: string) => [Buffer.from(codes, 'latin1')];

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from('X\0\0\0\0', 'latin1');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function integer(value: number): Buffer {
  const bytes = Buffer.from('J\0\0\0\0', 'latin1');
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** The call that makes a contiguous tensor of the storage `key`. */
function tensor(key: number, shape: readonly number[]): Buffer[] {
  const tuple = (values: readonly number[]) => [...op('('), ...values.map(integer), ...op('t')];
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const count = shape.reduce((product, extent) => product * extent, 1);
  const storage = [...op('('), text('storage'), ...op('ctorch\nFloatStorage\n'), text(String(key)), text('cpu'), integer(count), ...op('tQ')];
  const hooks = op('\x89ccollections\nOrderedDict\n)R');
  return [...op('ctorch._utils\n_rebuild_tensor_v2\n('), ...storage, integer(0), ...tuple(shape), ...tuple(strides), ...hooks, ...op('tR')];
}

/** An archive of files as they are. */
function zip(files: readonly (readonly [string, Buffer])[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of files) {
    const name = Buffer.from(path);
    // Version, flags, method, time and date; then what the directory repeats.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), common, place, name);
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), common, name, content);
    offset += 4 + common.length + name.length + content.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
