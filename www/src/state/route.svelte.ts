import { address, placeOf, type Place, type View } from '../lib/permalink';
import type { Explorer } from '../state.svelte';

/** The view on show, and the page's address, which always brings back what is on show. */
export class Route {
  view: View = $state(placeOf(location.hash).view);
  /** Page of the tour, counted from 1. */
  step: number = $state(placeOf(location.hash).step ?? 1);
  /** Whether the visitor came here from elsewhere on the page. */
  moved = $state(false);

  /** The address that was last followed or written. */
  #known = location.hash;

  constructor(private readonly explorer: Explorer) {}

  /** What the address asks for. */
  get asked(): Place {
    return placeOf(location.hash);
  }

  /** What of the photo and the network is on show. A visitor's own photo has no address. */
  readonly #explored: Omit<Place, 'view'> = $derived.by(() => {
    const { photo, info, zoom, center, unit, spot, gradient } = this.explorer;
    return {
      ...(photo?.entry ? { photo: photo.entry.file } : {}),
      ...(info ? { model: info.model } : {}),
      zoom,
      center,
      ...(unit ? { unit: unit.name } : {}),
      ...(this.view === 'field' && spot ? { spot } : {}),
      ...(this.view === 'field' && gradient === 'differentiated' ? { gradient } : {}),
    };
  });

  /** What is on show. */
  readonly place: Place = $derived(this.#placeOf(this.view));

  #placeOf(view: View): Place {
    return view === 'tour' ? { view, step: this.step } : { view, ...this.#explored };
  }

  /** Follows an address that the visitor typed or went back to. */
  follow(): void {
    const { asked } = this;
    this.#known = location.hash;
    this.view = asked.view;
    this.step = asked.step ?? 1;
    this.moved = true;
    void this.explorer.goTo(asked);
  }

  /** The address of a view with everything else as it is. */
  to(view: View): string {
    return address(this.#placeOf(view));
  }

  /** Writes what is on show into the address bar, unless another address waits there to be followed. */
  write(): void {
    if (location.hash !== this.#known) return;
    history.replaceState(null, '', address(this.place));
    this.#known = location.hash;
  }
}
