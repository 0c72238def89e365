import { ZOOM_RANGE, type Explorer } from '../state.svelte';

/** Plays the zoom from where it is to its end, as fast as the network answers; after the end, from the start. */
export class Player {
  playing = $state(false);
  #expected = NaN;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly explorer: Explorer) {}

  toggle(): void {
    if (this.playing) return this.stop();
    this.playing = true;
    const { min, max } = ZOOM_RANGE;
    if (this.explorer.zoom >= max) this.explorer.zoomTo(min);
    this.#expected = this.explorer.zoom;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.playing = false;
  }

  /** With reduced motion few large steps, each long enough to be read. */
  #wait(): void {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#timer = setTimeout(() => this.#step(calm ? 0.25 : 0.02), calm ? 1200 : 50);
  }

  #step(by: number): void {
    const { explorer } = this;
    // Somebody else moved the zoom.
    if (explorer.zoom !== this.#expected) return this.stop();
    if (explorer.running || document.hidden) return this.#wait();
    explorer.zoomTo(explorer.zoom + by);
    this.#expected = explorer.zoom;
    if (explorer.zoom >= ZOOM_RANGE.max) this.stop();
    else this.#wait();
  }
}
