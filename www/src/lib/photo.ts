/** Photos as the page shows them. */
import type { GalleryEntry } from './gallery';

/** A photo on show, decoded for display. */
export interface Photo {
  blob: Blob;
  image: HTMLImageElement;
  name: string;
  entry: GalleryEntry | null;
}

/** Decodes a photo for display; rejects where the browser cannot. */
export async function decodePhoto(blob: Blob, name: string, entry: GalleryEntry | null): Promise<Photo> {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  try {
    await image.decode();
  } finally {
    // The image keeps its pixels; the address would keep the file for as long as the page lives.
    URL.revokeObjectURL(image.src);
  }
  return { blob, image, name, entry };
}
