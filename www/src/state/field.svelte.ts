import type { Result } from 'sklens';
import { untrack } from 'svelte';
import { cropBox, type Crop, type Point } from '../lib/crop';
import { FieldMean } from '../lib/fieldMean';
import type { Item } from '../lib/collection';
import { MODES, overrideOf, placeInCrop, placeInPhoto, shows, type FieldPoint, type Fields, type Mode } from '../lib/field';
import { addressable } from '../lib/permalink';
import type { Photo } from '../lib/photo';
import { ZOOM_RANGE } from '../lib/zooms';
import type { Explorer } from '../state.svelte';
import { t } from '../strings';
import { Question } from './question.svelte';

/** What is measured without asking first, in seconds. */
const PATIENCE = 8;
const MIDDLE: Point = [0.5, 0.5];
/** Zooms of the curve. */
const ZOOM_STEP = 0.25;

/** Which field is asked for. */
interface Asked {
  unit: string;
  /** In fractions of the photo. */
  spot: Point;
  scale: number;
}

/** A field with what it was asked for. */
export interface FieldAnswer {
  fields: Fields;
  zoom: number;
  /** In fractions of the crop. */
  place: Point;
  crop: Crop;
  image: Photo['image'];
  /** What the three fields took together. */
  seconds: number;
}

/** A curve of fields, measured point by point. */
export class Curve {
  readonly question = new Question<FieldPoint[]>();
  done = $state(0);
  all = $state(0);

  measure(asked: readonly (Asked & { x: string })[], ask: (asked: Asked, signal: AbortSignal) => Promise<Fields>): void {
    this.done = 0;
    this.all = asked.length;
    this.question.ask(async (signal) => {
      const points: FieldPoint[] = [];
      for (const one of asked) {
        points.push({ x: one.x, fields: await ask(one, signal) });
        signal.throwIfAborted();
        this.done = points.length;
      }
      return points;
    });
  }
}

/** The mean of one unit's fields at the middle of many photos. */
export class Average {
  readonly question = new Question<{ fields: Fields; photos: number; missing: number; subject: string }>();
  items: readonly Item[] = $state.raw([]);
  done = $state(0);
}

/** The receptive field on show, with attention as it is and forced, and how it changes with zoom and depth. */
export class FieldLens {
  readonly question = new Question<FieldAnswer>();
  readonly zoom = new Curve();
  readonly depth = new Curve();
  readonly average = new Average();

  constructor(private readonly explorer: Explorer) {}

  readonly #size: readonly [number, number] = $derived.by(() => {
    const { photo } = this.explorer;
    return photo ? [photo.width, photo.height] : [4, 3];
  });
  readonly side: number = $derived.by(() => this.explorer.info?.inputSize[0] ?? 224);
  readonly spot: Point = $derived.by(() => this.explorer.spot ?? this.explorer.center);
  /** The place in fractions of the crop at the present zoom. */
  readonly place: Point = $derived.by(() =>
    placeInCrop(this.spot, this.#size, this.#crop(this.explorer.zoom), this.side),
  );

  /** Moves the place, in fractions of the crop, and keeps it inside. */
  moveTo([x, y]: Point): void {
    const { explorer } = this;
    const crop = this.#crop(explorer.zoom);
    const inside = placeInCrop(placeInPhoto([x, y], this.#size, crop), this.#size, crop, this.side);
    explorer.spot = addressable(placeInPhoto(inside, this.#size, crop));
  }

  /** Zooms of the curve at which the crop shows the place. */
  get zooms(): number[] {
    const { min, max } = ZOOM_RANGE;
    const all = Array.from({ length: (max - min) / ZOOM_STEP + 1 }, (_, step) => min + step * ZOOM_STEP);
    return all.filter((zoom) => shows(this.spot, this.#size, this.#crop(zoom)));
  }

  /** Measures the field for the analysis on show. */
  answer({ scale }: Result, unit: string): void {
    const { explorer, place } = this;
    const [crop, image] = [this.#crop(scale), explorer.photo?.image];
    const spot = placeInPhoto(place, this.#size, crop);
    if (!image) return;
    this.question.ask(async (signal) => {
      const began = performance.now();
      const fields = await this.#ask({ unit, spot, scale }, signal);
      return { fields, zoom: scale, place, crop, image, seconds: (performance.now() - began) / 1000 };
    });
  }

  /** About how long a curve of `points` takes, in seconds; unknown before the first field. */
  estimate(points: number): number | undefined {
    const { answer } = this.question;
    return answer ? answer.seconds * points : undefined;
  }

  /** Whether a curve of `points` is short enough to be measured unasked. */
  isShort(points: number): boolean {
    return (this.estimate(points) ?? Infinity) <= PATIENCE;
  }

  measureZoom(unit: string): void {
    const { spot } = this;
    this.zoom.measure(
      this.zooms.map((scale) => ({ unit, spot, scale, x: String(scale) })),
      (asked, signal) => this.#ask(asked, signal),
    );
  }

  measureDepth({ scale }: Pick<Result, 'scale'>): void {
    const spot = placeInPhoto(this.place, this.#size, this.#crop(scale));
    this.depth.measure(
      this.explorer.units.map(({ name }) => ({ unit: name, spot, scale, x: name })),
      (asked, signal) => this.#ask(asked, signal),
    );
  }

  /** Measures the mean over the chosen photos at the present zoom; `subject` says what it belongs to. */
  measureAverage(unit: string, subject: string): void {
    const { average, explorer } = this;
    const { items } = average;
    const scale = explorer.zoom;
    average.done = 0;
    average.question.ask(async (signal) => {
      const means = { smallest: new FieldMean(), network: new FieldMean(), largest: new FieldMean() };
      for (const { file } of items) {
        try {
          const fields = await this.#ask({ unit, spot: MIDDLE, scale }, signal, await file());
          for (const mode of MODES) means[mode].add(fields[mode]);
        } catch (error) {
          // A file that is no photo does not count; without an engine nothing would.
          if ((error as { code?: string }).code !== 'bad-image') throw error;
        }
        signal.throwIfAborted();
        average.done++;
      }
      const [smallest, network, largest] = MODES.map((mode) => means[mode].field());
      if (!smallest || !network || !largest) throw new Error(t.collections.missing(items.length));
      const photos = means.network.count;
      return { fields: { smallest, network, largest }, photos, missing: items.length - photos, subject };
    });
  }

  /** Fields in the photo and crop on show, or at the centred crop of another photo. */
  readonly #ask = async ({ unit, spot, scale }: Asked, signal: AbortSignal, photo?: Blob): Promise<Fields> => {
    const { explorer } = this;
    const attention = untrack(() => explorer.gradient);
    const fields: Partial<Fields> = {};
    for (const mode of MODES) {
      const options = { unit, position: spot, scale, attention, override: overrideOf(mode), signal };
      fields[mode] = await (photo ? explorer.askField({ ...options, center: MIDDLE }, photo) : explorer.askField(options));
    }
    return fields as Record<Mode, Fields[Mode]>;
  };

  #crop(zoom: number): Crop {
    const [width, height] = this.#size;
    return cropBox(width, height, this.explorer.cropPct, zoom, this.explorer.center);
  }
}
