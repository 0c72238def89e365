/** Pictures that are small as files and large as pixels. */
import { crc32, deflateSync } from 'node:zlib';

/** A black picture of so many pixels, as PNG. */
export function blackPng(side: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  // Eight bits, grey.
  header[8] = 8;
  const pixels = deflateSync(Buffer.alloc(side * (side + 1)), { level: 1 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}

/** A GIF whose screen and one black frame have this size; the data are those of one pixel. */
export function gif(width: number, height: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(width, 0);
  size.writeUInt16LE(height, 2);
  const [screen, palette] = [Buffer.from([0x80, 0, 0]), Buffer.from([0, 0, 0, 255, 255, 255])];
  const frame = Buffer.from([0, 2, 2, 0x44, 1, 0, 0x3b]);
  return Buffer.concat([Buffer.from('GIF89a'), size, screen, palette, Buffer.from([0x2c, 0, 0, 0, 0]), size, frame]);
}

/** A BMP of three bytes a pixel and with rows from the top, of which `rows` are there. */
export function bmp(width: number, height: number, rows = 0): Buffer {
  const header = Buffer.alloc(54);
  header.write('BM');
  header.writeUInt32LE(54, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(-height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(24, 28);
  const data = Buffer.alloc(rows * Math.ceil((width * 3) / 4) * 4, 0x80);
  header.writeUInt32LE(header.length + data.length, 2);
  return Buffer.concat([header, data]);
}

/** A white AVIF of 2 × 2 pixels, or one that states another size. */
export function avif(width = 2, height = 2): Buffer {
  const file = Buffer.from(SMALL_AVIF, 'base64');
  const ispe = file.indexOf('ispe');
  file.writeUInt32BE(width, ispe + 8);
  file.writeUInt32BE(height, ispe + 12);
  return file;
}

const SMALL_AVIF =
  'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADybWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADnBpdG0AAAAAAAEAAAAe' +
  'aWxvYwAAAABEAAABAAEAAAABAAABGgAAAB0AAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAABAABhdjAxQ29sb3IAAAAAamlwcnAAAABLaXBjbwAAABRpc3BlAAAAAAAAAAIAAAAC' +
  'AAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgQ0MAAAAABNjb2xybmNseAACAAIAAYAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAACVtZGF0EgAKCBgANogQEAwgMg8f8D///8WfhwB8' +
  '+ErK42A=';
