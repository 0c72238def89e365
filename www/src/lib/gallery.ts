import { t } from '../strings';
import type { Caption } from '../strings/en';
import type { Point } from './crop';

/** One entry of `gallery/gallery.json`. */
export interface GalleryEntry {
  file: string;
  title: string;
  alt: string;
  author: string;
  licence: string;
  licenceUrl: string;
  /** Where the file was taken from, in words. */
  source: string;
  /** The photo's own page, where it has one. */
  sourceUrl?: string;
  width: number;
  height: number;
  /** Where the object is, as fractions of the photo. */
  centre: Point;
}

/** An entry in words, in the language that the page speaks. */
export const captionOf = (entry: GalleryEntry): Caption => t.photo.captions[entry.file] ?? entry;

const folder = () => new URL('gallery/', document.baseURI);

/** Where an entry's photo is. */
export function galleryUrl(entry: GalleryEntry): string {
  return new URL(entry.file, folder()).href;
}

/** The photos that ship with the page. */
export async function fetchGallery(): Promise<GalleryEntry[]> {
  const response = await fetch(new URL('gallery.json', folder()));
  if (!response.ok) throw new Error(`gallery.json: ${response.status}`);
  return (await response.json()) as GalleryEntry[];
}

/** An entry's photo as the file that it is. */
export async function fetchPhoto(entry: GalleryEntry): Promise<Blob> {
  const response = await fetch(galleryUrl(entry));
  if (!response.ok) throw new Error(`${entry.file}: ${response.status}`);
  return response.blob();
}
