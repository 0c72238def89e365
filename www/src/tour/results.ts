/** What the tour shows: computed from the bundled model and gallery photos before the page is built. */
import type { UnitInfo } from 'sklens';
import type { GalleryEntry } from '../lib/gallery';
import computed from './results.json';

/** Values from 0 to 255, the brightest of all pictures beside it, row by row. */
export interface Picture {
  width: number;
  height: number;
  pixels: readonly number[];
}

/** What moves one neuron, and the side of the square that holds most of it, in pixels of the input. */
export interface Seen {
  side: number;
  map: Picture;
}

/** Which attention the neuron had. */
export const KINDS = ['smallest', 'network', 'largest'] as const;
export type Kind = (typeof KINDS)[number];

/** The receptive field of one neuron under three kinds of attention. */
export interface Window extends Record<Kind, Seen> {
  unit: string;
  /** Where it looks in the input, `[x, y]`. */
  pixel: readonly number[];
  /** The part of the field that the squares hold. */
  share: number;
}

/** One channel of a unit. */
export interface ChannelInside {
  /** Counted from 1. */
  channel: number;
  /** Attention, branch by branch. */
  shares: readonly number[];
  input: Picture;
  /** Branch by branch. */
  branches: readonly Picture[];
}

export interface Inside {
  unit: string;
  /** `[C, H, W]` of the output. */
  shape: readonly number[];
  /** s */
  pooled: readonly number[];
  /** z */
  squeezed: readonly number[];
  /** Branch-major `[M * C]`. */
  attention: readonly number[];
  channels: readonly ChannelInside[];
}

export interface Guess {
  label: string;
  probability: number;
}

export interface ZoomResult {
  scale: number;
  top: readonly Guess[];
  /** Mean attention of the largest branch minus that of the smallest, unit by unit. */
  differences: readonly number[];
}

export interface PhotoResults {
  entry: GalleryEntry;
  /** By rising zoom, the first at 1. */
  zooms: readonly ZoomResult[];
}

export interface Results {
  /** `[height, width]` */
  inputSize: readonly number[];
  cropPct: number;
  classes: number;
  units: UnitInfo[];
  windows: readonly Window[];
  inside: Inside;
  /** The first one leads through the tour. */
  photos: readonly PhotoResults[];
}

export const results = computed as unknown as Results;
