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

/** Fills a canvas with a part of a photo. */
export function drawCrop(canvas: HTMLCanvasElement, { image }: Photo, { x, y, side }: Crop): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  context.imageSmoothingQuality = 'high';
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, x, y, side, side, 0, 0, canvas.width, canvas.height);
}
