/** An image that shows everything but what says that it cannot be shown. */
export class LocalImage {
  static size: [number, number] = [640, 480];
  static decoded = 0;
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  #src = '';
  naturalWidth = LocalImage.size[0];
  naturalHeight = LocalImage.size[1];
  get src(): string {
    return this.#src;
  }
  set src(address: string) {
    this.#src = address;
    queueMicrotask(() => (address === 'unreadable' ? this.onerror : this.onload)?.());
  }
  async decode(): Promise<void> {
    LocalImage.decoded++;
  }
}
