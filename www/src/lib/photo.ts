/** Photos as the page shows them. */
import { MAX_PIXELS, type ImageInput } from 'sklens';
import { t } from '../strings';
import type { Crop } from './crop';
import { captionOf, type GalleryEntry } from './gallery';

/** A photo on show, decoded for display. */
export interface Photo {
  /** What the network gets. */
  input: ImageInput;
  image: HTMLImageElement | HTMLCanvasElement;
  /** In pixels, upright. */
  width: number;
  height: number;
  name: string;
  entry: GalleryEntry | null;
  /** Whether the page drew it. */
  drawn?: boolean;
  /** The camera that this is a frame of; null once it stands still. */
  live: HTMLVideoElement | null;
}

/** What the page calls a photo: a title of the gallery, or the file's name. */
export const nameOf = ({ entry, name }: Photo): string => (entry ? captionOf(entry).title : name);

/** Decodes a photo for display; rejects with a sentence where the browser cannot, and before it decodes where the network would not. */
export async function decodePhoto(blob: Blob, name: string, entry: GalleryEntry | null): Promise<Photo> {
  const image = new Image();
  const unreadable = () => new Error(t.errors.unreadable(name));
  try {
    // The size is there once the file is loaded; its pixels are not until they are decoded.
    await new Promise<void>((loaded, failed) => {
      image.onload = () => loaded();
      image.onerror = () => failed(unreadable());
      image.src = URL.createObjectURL(blob);
    });
    const { naturalWidth: width, naturalHeight: height } = image;
    if (width * height > MAX_PIXELS) throw new Error(t.errors.tooLarge(name, width, height, MAX_PIXELS / 1_000_000));
    await image.decode().catch(() => {
      throw unreadable();
    });
    return { input: blob, image, width, height, name, entry, live: null };
  } finally {
    // The image keeps its pixels; the address would keep the file for as long as the page lives.
    URL.revokeObjectURL(image.src);
  }
}

/** Shorter side of the copies that small crops are drawn from, in pixels. */
const COPY = 672;
/** Copies by their photo's picture. */
const copies = new WeakMap<Photo['image'], OffscreenCanvas>();

/** Fills a canvas with a part of a photo. A large photo is reduced once for all small crops, so that each costs little. */
export function drawCrop(canvas: HTMLCanvasElement, { image, width, height }: Photo, { x, y, side }: Crop): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const scale = COPY / Math.min(width, height);
  const small = scale < 0.5 && side * scale >= canvas.width;
  const from = small ? scale : 1;
  context.imageSmoothingQuality = 'high';
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(small ? copyOf(image, width * scale, height * scale) : image, x * from, y * from, side * from, side * from, 0, 0, canvas.width, canvas.height);
}

function copyOf(image: Photo['image'], width: number, height: number): OffscreenCanvas {
  const made = copies.get(image);
  if (made) return made;
  const copy = new OffscreenCanvas(Math.round(width), Math.round(height));
  const context = copy.getContext('2d');
  if (context) {
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, copy.width, copy.height);
  }
  copies.set(image, copy);
  return copy;
}
