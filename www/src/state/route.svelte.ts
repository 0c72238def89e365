import { address, placeOf, type Place, type View } from '../lib/permalink';
import type { Explorer } from '../state.svelte';

/** The view on show, and the page's address, which always brings back what is on show. */
export class Route {
  view: View = $state(placeOf(location.hash).view);

  constructor(private readonly explorer: Explorer) {}

  /** What the address asks for. */
  get asked(): Place {
    return placeOf(location.hash);
  }

  /** What is on show. A visitor's own photo has no address. */
  readonly place: Place = $derived.by(() => {
    const { photo, info, zoom, center, unit } = this.explorer;
    return {
      view: this.view,
      ...(photo?.entry ? { photo: photo.entry.file } : {}),
      ...(info ? { model: info.model } : {}),
      zoom,
      center,
      ...(unit ? { unit: unit.name } : {}),
    };
  });

  /** Follows an address that the visitor typed or went back to. */
  follow(): void {
    const { asked } = this;
    this.view = asked.view;
    void this.explorer.goTo(asked);
  }

  /** The address of a view with everything else as it is. */
  to(view: View): string {
    return address({ ...this.place, view });
  }

  /** Writes what is on show into the address bar. */
  write(): void {
    history.replaceState(null, '', address(this.place));
  }
}
