/** A whole analysis as one file. */
import type { Result, SessionInfo } from 'sklens';
import { cropBox, type Point } from './crop';
import type { Photo } from './photo';

/** Everything that results of one photo came from. */
export interface Analysis {
  info: SessionInfo;
  /** Name of the weights file. */
  weights: string;
  photo: Photo;
  center: Point;
  results: readonly Result[];
}

/** What is in the metadata for other purposes, and would make the file unwieldy. */
const LISTS = ['labels', 'classes'];

/**
 * The analysis as JSON: attention as `[branch][channel]`, crops in pixels of the upright photo, results in the order of their
 * zooms with the names of `sklens analyze --json`.
 */
export function analysisFile({ info, weights, photo, center, results }: Analysis): string {
  const { model, params, macs, inputSize, classes, cropPct, units, backend, adapter, metadata } = info;
  const branches = new Map(units.map((unit) => [unit.name, unit.branches.length]));
  const file = {
    photo: { name: photo.entry?.file ?? photo.name, width: photo.width, height: photo.height, source: photo.entry?.sourceUrl ?? null },
    network: { model, params, macs, inputSize, classes, cropPct, units },
    weights: { file: weights, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !LISTS.includes(key))) },
    engine: { backend, adapter },
    center,
    results: [...results]
      .sort((a, b) => a.scale - b.scale)
      .map(({ scale, top, logits, units, milliseconds }) => ({
        scale,
        crop: cropBox(photo.width, photo.height, cropPct, scale, center),
        top,
        logits: [...logits],
        units: units.map((unit) => ({ ...unit, attention: rows(unit.attention, branches.get(unit.name) ?? 1) })),
        milliseconds,
      })),
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

function rows(values: Float32Array, count: number): number[][] {
  const length = values.length / count;
  return Array.from({ length: count }, (_, row) => [...values.subarray(row * length, (row + 1) * length)]);
}
