import { SklensError } from './error.js';

/** The most pixels that a picture may have; more would not fit into a browser's 4 GiB beside its working copies. */
export const MAX_PIXELS = 144_000_000;

/** Throws `bad-image` for a picture that is too large, whatever will be done with its pixels. */
export function checkPixels(width: number, height: number): void {
  if (width * height <= MAX_PIXELS) return;
  throw new SklensError('bad-image', `the picture has ${width}×${height} pixels; use one of at most ${MAX_PIXELS / 1_000_000} megapixels`);
}

/**
 * Width and height that the header of a GIF, BMP, AVIF or HEIC file states: formats that browsers decode at once and in full. Undefined for
 * others and for headers that break off.
 */
export function statedSize(file: Uint8Array): [number, number] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const text = (from: number, to: number) => String.fromCharCode(...file.subarray(from, to));
  if (text(0, 4) === 'GIF8' && file.length >= 10) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (text(0, 2) === 'BM' && file.length >= 26) {
    // The oldest of BMP's headers is twelve bytes long and has short sides; a negative height counts from the top.
    if (view.getUint32(14, true) === 12) return [view.getUint16(18, true), view.getUint16(20, true)];
    return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
  }
  if (text(4, 8) === 'ftyp') return largestExtent(view);
  return undefined;
}

/** The largest of the sizes in a HEIF file (ISO/IEC 23008-12): the whole picture's beside those of its tiles and thumbnail. */
function largestExtent(view: DataView): [number, number] | undefined {
  let found: Box[] = [{ type: 'file', from: 0, end: view.byteLength }];
  for (const type of ['meta', 'iprp', 'ipco', 'ispe']) {
    found = found.flatMap(({ type: parent, from, end }) => boxes(view, parent === 'meta' ? from + 4 : from, end)).filter((box) => box.type === type);
  }
  // Version and flags come first.
  const sizes = found.filter(({ from, end }) => end - from >= 12).map(({ from }): [number, number] => [view.getUint32(from + 4), view.getUint32(from + 8)]);
  return sizes.sort(([a, b], [c, d]) => c * d - a * b)[0];
}

/** A box of an ISO base media file: its type and where its content is. */
interface Box {
  type: string;
  from: number;
  end: number;
}

/** The boxes that lie one after the other in a part of a file, up to the first that is damaged. */
function boxes(view: DataView, start: number, end: number): Box[] {
  const found: Box[] = [];
  for (let at = start; at + 8 <= end; ) {
    const [short, type] = [view.getUint32(at), String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at + 4, 4))];
    const long = short === 1 && at + 16 <= end;
    const size = short === 0 ? end - at : long ? Number(view.getBigUint64(at + 8)) : short;
    const from = at + (long ? 16 : 8);
    if (at + size < from || at + size > end) break;
    found.push({ type, from, end: at + size });
    at += size;
  }
  return found;
}
