import { ZOOM_RANGE } from '../lib/zooms';
import type { Explorer } from '../state.svelte';

/** Zoom per second. */
const SPEED = 0.4;
/** The largest step of a slow network, and the step of reduced motion. */
const LARGEST = 0.1;
const CALM = 0.25;

/** Plays the zoom from where it is to its end at one speed, in steps as fine as the network's answers allow; after the end, from the start. */
export class Player {
  playing = $state(false);
  #expected = NaN;
  #stepped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly explorer: Explorer) {}

  toggle(): void {
    if (this.playing) return this.stop();
    this.playing = true;
    const { min, max } = ZOOM_RANGE;
    if (this.explorer.zoom >= max) this.explorer.zoomTo(min);
    this.#expected = this.explorer.zoom;
    this.#stepped = performance.now();
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.playing = false;
  }

  /** With reduced motion few large steps, each long enough to be read. */
  #wait(): void {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#timer = setTimeout(() => this.#step(calm), calm ? 1200 : 25);
  }

  #step(calm: boolean): void {
    const { explorer } = this;
    // Somebody else moved the zoom.
    if (explorer.zoom !== this.#expected) return this.stop();
    if (explorer.running || document.hidden) return this.#wait();
    const now = performance.now();
    const by = Math.min(Math.max((SPEED * (now - this.#stepped)) / 1000, ZOOM_RANGE.step), LARGEST);
    this.#stepped = now;
    explorer.zoomTo(explorer.zoom + (calm ? CALM : by));
    this.#expected = explorer.zoom;
    if (explorer.zoom >= ZOOM_RANGE.max) this.stop();
    else this.#wait();
  }
}
