/** The page's state: what is shown, what runs, and the analysis that belongs to it. */
import type { AnalyzeOptions, ImageInput, ReceptiveField, ReceptiveFieldOptions, Result, Session, UnitInfo } from 'sklens';
import { defaultUnit } from './lib/attention';
import { clampCenter, type Point } from './lib/crop';
import { NextFrame } from './lib/frame';
import { fetchGallery, fetchPhoto, type GalleryEntry } from './lib/gallery';
import { Latest } from './lib/latest';
import { messageOf } from './lib/message';
import { addressable, type Place } from './lib/permalink';
import { decodePhoto, type Photo } from './lib/photo';
import { Undo } from './lib/undo';
import { PAPER_ZOOMS, ZOOM_RANGE } from './lib/zooms';
import { RunningNetwork } from './state/network.svelte';
import { t } from './strings';

export type { NetworkChoice } from './state/network.svelte';

/** What the analyses in `results` belong to: results hold as long as this object is the current one. */
export interface Subject {
  session: Session;
  photo: Photo;
  center: Point;
  results: Map<number, Result>;
}

/** What undo brings back. */
interface Shown {
  photo: Photo;
  zoom: number;
  center: Point;
}

export class Explorer extends RunningNetwork {
  gallery: GalleryEntry[] = $state.raw([]);
  photo: Photo | null = $state.raw(null);
  zoom: number = $state(1);
  center: Point = $state.raw([0.5, 0.5]);
  /** While the box is dragged only the present zoom is analysed. */
  dragging = $state(false);
  unitName = $state(defaultUnit(this.units));
  /** The place whose receptive field is shown, in fractions of the photo; null: the crop's centre. */
  spot: Point | null = $state.raw(null);
  /** How the gradient of that field treats attention. */
  gradient: 'fixed' | 'differentiated' = $state('fixed');
  running = $state(false);
  everyChannel = $state(false);

  /** The analysis at the present zoom, or the last one while the next is under way. */
  current: Result | null = $state.raw(null);
  /** The analyses at {@link PAPER_ZOOMS}. */
  sweep: Result[] = $state.raw([]);
  /** What `current` belongs to. */
  analysed: Subject | null = $state.raw(null);
  /** Whether `sweep` belongs to an earlier centre. */
  sweepStale = $state(false);

  readonly unit: UnitInfo | undefined = $derived(this.units.find(({ name }) => name === this.unitName) ?? this.units[0]);
  /** Whether the numbers on show are an earlier photo's. */
  readonly stale: boolean = $derived(this.analysed?.photo !== this.photo);
  /** Whether every number on show belongs to what is on show. */
  readonly settled: boolean = $derived(
    !this.opening &&
      !this.running &&
      !this.stale &&
      (!this.sweepStale || this.photo?.live != null) &&
      this.analysed?.center === this.center &&
      this.current?.scale === this.zoom,
  );
  #previous: { photo: Photo | null; center: Point } | null = null;
  readonly #undo = new Undo<Shown>();
  /** How many steps {@link undo} can take. */
  undoable = $state(0);
  /** How many questions of {@link ask} and {@link askField} are under way. */
  asking = 0;
  /** Whether the first photo had its chance. */
  started = $state(false);
  readonly #analyses = new Latest<void>(() => this.#analyze());
  readonly #frame = new NextFrame();
  /** What the last analysis was about; `analysed` follows with the next frame. */
  #subject: Subject | null = null;

  /** Loads the gallery, its first photo or what `place` names, and the network. */
  async start(place?: Place): Promise<void> {
    if (place?.zoom !== undefined) this.zoomTo(place.zoom);
    if (place?.unit !== undefined) this.unitName = place.unit;
    if (place?.gradient !== undefined) this.gradient = place.gradient;
    const gallery = this.#startGallery(place).finally(() => (this.started = true));
    await Promise.all([gallery, this.run()]);
  }

  async #startGallery(place?: Place): Promise<void> {
    try {
      this.gallery = await fetchGallery();
    } catch {
      this.error = t.errors.gallery;
    }
    const first = this.gallery.find(({ file }) => file === place?.photo) ?? this.gallery[0];
    if (!first || this.photo) return;
    await this.showEntry(first);
    if (place?.spot) this.spot = place.spot;
    if (place?.center && this.photo) this.#look(this.zoom, place.center);
  }

  /** Shows what `place` names; what it does not name stays. */
  async goTo(place: Place): Promise<void> {
    const entry = this.gallery.find(({ file }) => file === place.photo);
    if (entry && entry !== this.photo?.entry) await this.showEntry(entry);
    if (place.unit !== undefined) this.unitName = place.unit;
    if (place.zoom !== undefined && place.zoom !== this.zoom) this.zoomTo(place.zoom);
    if (place.center && !samePlace(place.center, this.center)) this.moveTo(place.center);
    if (place.spot) this.spot = place.spot;
    if (place.view === 'field') this.gradient = place.gradient ?? 'fixed';
  }

  /** Asks the network about the photo and centre on show, besides the page's own analysis. */
  async ask(options: AnalyzeOptions, image: ImageInput | undefined = this.photo?.input): Promise<Result[]> {
    if (!this.session || !image) return [];
    return this.#counted(this.session.analyze(image, { center: this.center, ...options }));
  }

  /** Asks for a receptive field, in the photo and crop on show where nothing else is given. */
  async askField(options: Omit<ReceptiveFieldOptions, 'image'>, image: ImageInput | undefined = this.photo?.input): Promise<ReceptiveField> {
    if (!this.session || !image) throw new Error(t.networks.waiting);
    return this.#counted(this.session.receptiveField({ image, center: this.center, ...options }));
  }

  async #counted<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.asking++;
    try {
      return await answer;
    } finally {
      this.asking--;
    }
  }

  /** Goes back to the photo, zoom and centre before the last change. */
  undo(): void {
    const before = this.#undo.back();
    this.undoable = this.#undo.size;
    if (!before) return;
    this.photo = before.photo;
    this.#look(before.zoom, before.center);
  }

  #remember(): void {
    const { photo, zoom, center } = this;
    if (photo) this.#undo.remember({ photo, zoom, center });
    this.undoable = this.#undo.size;
  }

  #look(zoom: number, center: Point): void {
    this.zoom = zoom;
    this.center = center;
    this.refresh();
  }

  protected forget(): void {
    this.#subject = null;
    this.current = null;
    this.analysed = null;
    this.sweep = [];
  }

  protected opened(): void {
    if (!this.units.some(({ name }) => name === this.unitName)) this.unitName = defaultUnit(this.units);
    this.refresh();
  }

  /** Shows a photo of the gallery. */
  async showEntry(entry: GalleryEntry): Promise<void> {
    try {
      await this.#show(await fetchPhoto(entry), entry.title, entry);
    } catch {
      this.error = t.errors.gallery;
    }
  }

  /** Shows a picture that the page drew. */
  async showDrawn(picture: File): Promise<void> {
    await this.#show(picture, picture.name, null, true);
  }

  /** Shows a photo of the visitor's. */
  async showFile(file: Blob | undefined): Promise<void> {
    if (!file) {
      this.error = t.errors.noPhoto;
      return;
    }
    await this.#show(file, file instanceof File ? file.name : '', null);
  }

  async #show(blob: Blob, name: string, entry: GalleryEntry | null, drawn = false): Promise<void> {
    const photo = await decodePhoto(blob, name, entry).catch((error: unknown) => this.#refuse(messageOf(error)));
    if (!photo) return;
    photo.drawn = drawn;
    this.error = null;
    this.#previous ??= { photo: this.photo, center: this.center };
    this.#remember();
    // A zoom chosen while the first photo loads stays.
    if (this.photo) this.zoom = 1;
    this.photo = photo;
    this.center = entry?.centre ?? [0.5, 0.5];
    this.spot = null;
    this.refresh();
  }

  /**
   * Analyses a frame of the camera at the present zoom alone, and shows it together with its numbers. False where
   * another photo or network was chosen meanwhile; rejects where the network fails.
   */
  async showFrame(frame: Photo): Promise<boolean> {
    const { session, photo, zoom } = this;
    const center: Point = photo?.live ? this.center : [0.5, 0.5];
    if (!session) return false;
    try {
      const [result] = await session.analyze(frame.input, { scales: [zoom], center });
      if (!result || session !== this.session || photo !== this.photo) return false;
      if (!photo?.live) {
        this.#remember();
        this.center = center;
      }
      this.photo = frame;
      this.#subject = this.analysed = { session, photo: frame, center, results: new Map([[zoom, result]]) };
      this.current = result;
      this.sweep = [];
      this.sweepStale = true;
      return true;
    } catch (error) {
      if (session !== this.session) return false;
      throw error;
    }
  }

  /** Makes the camera's last frame a photo like others. */
  keepFrame(): void {
    if (!this.photo?.live) return;
    this.photo = { ...this.photo, live: null };
    this.refresh();
  }

  #refuse(reason: string): void {
    this.error = this.photo ? t.sentences([reason, t.errors.photoKept]) : reason;
  }

  /** Sets the zoom, kept in range and on the slider's steps. */
  zoomTo(zoom: number): void {
    const { min, max, step } = ZOOM_RANGE;
    const next = Number((Math.round(Math.min(Math.max(zoom, min), max) / step) * step).toFixed(2));
    if (next !== this.zoom) this.#remember();
    this.#look(next, this.center);
  }

  /** Moves the centre, kept where the crop at the present zoom fits. */
  moveTo(center: Point): void {
    if (!this.photo) return;
    const { width, height } = this.photo;
    const next = addressable(clampCenter(width, height, this.cropPct, this.zoom, center));
    // At the photo's edge there is nothing new to look at.
    if (next[0] === this.center[0] && next[1] === this.center[1]) return;
    if (!this.dragging) this.#remember();
    this.center = next;
    this.refresh();
  }

  /** Tells whether the box is being dragged. */
  drag(active: boolean): void {
    if (active) this.#remember();
    this.dragging = active;
    if (!active) this.refresh();
  }

  /** Analyses what is on show, unless that is known already. */
  refresh(): void {
    this.#analyses.submit();
  }

  async #analyze(): Promise<void> {
    const { photo, zoom, center } = this;
    const session = this.session;
    if (!session || !photo) return;
    let subject = this.#subject;
    if (subject?.session !== session || subject.photo !== photo || subject.center !== center) {
      subject = { session, photo, center, results: new Map() };
    }
    this.#subject = subject;
    const { results } = subject;
    const wanted = this.dragging || photo.live ? [zoom] : [zoom, ...PAPER_ZOOMS];
    const scales = [...new Set(wanted)].filter((scale) => !results.has(scale));
    try {
      this.running = true;
      if (scales.length > 0) {
        const found = await session.analyze(photo.input, { scales, center });
        for (const result of found) results.set(result.scale, result);
      }
    } catch (error) {
      this.#failed(error, photo, session);
      return;
    } finally {
      this.running = false;
    }
    if (photo === this.photo) this.#previous = null;
    // The next analysis does not wait for this one to be drawn.
    this.#frame.submit(() => this.#answer(subject, zoom));
  }

  /** Shows what is known of `subject`, unless it is no longer what the page is about. */
  #answer(subject: Subject, zoom: number): void {
    const { session, photo, results } = subject;
    if (session !== this.session || photo !== this.photo) return;
    this.analysed = subject;
    this.info = session.info;
    this.current = results.get(zoom) ?? this.current;
    const sweep = PAPER_ZOOMS.flatMap((scale) => results.get(scale) ?? []);
    this.sweepStale = sweep.length < PAPER_ZOOMS.length;
    // The same analyses stay the same list, which nothing needs to draw again.
    if (!this.sweepStale && sweep.some((result, place) => result !== this.sweep[place])) this.sweep = sweep;
  }

  #failed(error: unknown, photo: Photo, session: Session): void {
    const code = (error as { code?: string }).code;
    if (session !== this.session) return;
    if (code === 'closed') {
      this.error = t.errors.stopped(messageOf(error));
      this.session = null;
      void this.run();
    } else if (code === 'bad-image' && photo === this.photo) {
      const previous = this.#previous;
      this.#previous = null;
      if (previous?.photo) {
        this.photo = previous.photo;
        this.center = previous.center;
        this.refresh();
      }
      this.#refuse(messageOf(error));
    } else if (code === 'device-lost') {
      // The session opened it again already, in vain.
      this.error = t.errors.movedToCpu(messageOf(error));
      void this.run('cpu');
    } else {
      this.error = messageOf(error);
    }
  }
}

/** Whether an address would show both as the same. */
function samePlace(a: Point, b: Point): boolean {
  return Math.hypot(a[0] - b[0], a[1] - b[1]) < 1e-3;
}
