import { COMPARED, followingOf, type Following } from '../lib/counterexample';
import { fetchPhoto, type GalleryEntry } from '../lib/gallery';
import type { Explorer } from '../state.svelte';

/** Longest that the page's last analysis may have taken, in milliseconds; slower networks are not asked. */
const PATIENCE = 1500;
const PAUSE = 250;

/** What is known of one network. */
interface Findings {
  session: Explorer['session'];
  /** By the entries' files. */
  following: ReadonlyMap<string, Following>;
}

/** Which photos of the gallery the running network's attention follows, found out while the page rests. */
export class Survey {
  #findings: Findings = $state.raw({ session: null, following: new Map() });
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly explorer: Explorer) {}

  /** What is known of an entry. */
  of(entry: GalleryEntry): Following | undefined {
    const { session, following } = this.#findings;
    return session === this.explorer.session ? following.get(entry.file) : undefined;
  }

  /** Goes on with the running network; another network's findings are dropped. Call when the page has come to rest. */
  go(): void {
    const { session, random } = this.explorer;
    if (session !== this.#findings.session) this.#findings = { session, following: new Map() };
    this.stop();
    if (session && !random) this.#timer = setTimeout(() => void this.#step(), PAUSE);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Looks at the first photo that nothing is known of. */
  async #step(): Promise<void> {
    const { explorer } = this;
    const { session, following } = this.#findings;
    if (document.hidden) return this.go();
    if (!explorer.settled || explorer.photo?.live) return;
    const next = explorer.gallery.find((entry) => !this.of(entry));
    const slow = (explorer.current?.milliseconds ?? Infinity) > PATIENCE;
    if (!next || slow || session !== explorer.session) return;
    try {
      const results = await explorer.ask({ scales: COMPARED, center: next.centre }, await fetchPhoto(next));
      const found = followingOf(results);
      if (!found || session !== explorer.session) return;
      this.#findings = { session, following: new Map(following).set(next.file, found) };
      this.go();
    } catch {
      // The gallery is as good without marks, and the page says itself what is wrong with the engine.
    }
  }
}
