/** Downloads as the page shows them. */
import { recall, remember } from '../lib/remembered';
import { t } from '../strings';
import { download, type DownloadProgress } from './download';
import { address, defaultMirror, mirrorFrom, published, type Published } from './published';
import { remove, stored, storedFile, type Stored } from './store';

const KEY = 'sklens-mirror';

export class Weights {
  list: Stored[] = $state.raw([]);
  /** The one download that runs. */
  active: { id: string; progress: DownloadProgress | null } | null = $state.raw(null);
  error: string | null = $state(null);
  mirror: string = $state(defaultMirror);
  #abort: AbortController | null = null;

  /** `search` is that of the page's address. */
  constructor(search: string) {
    const mirror = mirrorFrom(search, recall(KEY));
    if (mirror === null) this.error = t.downloads.badMirror;
    else this.mirror = mirror;
  }

  /** The published weights of a preset. */
  offered(model: string): Published | undefined {
    return published.find((entry) => entry.model === model);
  }

  /** Whether the hash of a stored file was compared with the publisher's; others are only told. */
  compared(id: string): boolean {
    return published.some((entry) => entry.id === id && entry.sha256 !== undefined);
  }

  /** What of `id` is stored. */
  stored(id: string): Stored | undefined {
    return this.list.find((entry) => entry.id === id);
  }

  /** Remembers another host; false if it is none. */
  choose(mirror: string): boolean {
    const found = mirrorFrom('', mirror || null);
    this.error = found === null ? t.downloads.badMirror : null;
    if (found === null) return false;
    this.mirror = found;
    remember(KEY, found);
    return true;
  }

  async refresh(): Promise<void> {
    try {
      this.list = await stored();
    } catch {
      this.list = [];
      this.error = t.downloads.unsupported;
    }
  }

  /** Downloads what is missing of `entry`; tells whether it is whole. */
  async start(entry: Published): Promise<boolean> {
    if (this.active) return false;
    this.error = null;
    const abort = (this.#abort = new AbortController());
    this.active = { id: entry.id, progress: null };
    const wanted = { id: entry.id, url: address(entry, this.mirror), ...(entry.sha256 ? { sha256: entry.sha256 } : {}) };
    try {
      await download(wanted, abort.signal, (progress) => (this.active = { id: entry.id, progress }));
      return true;
    } catch (error) {
      this.error = abort.signal.aborted ? t.downloads.cancelled : error instanceof Error ? error.message : String(error);
      return false;
    } finally {
      this.active = null;
      await this.refresh();
    }
  }

  cancel(): void {
    this.#abort?.abort();
  }

  file(id: string): Promise<Blob | null> {
    return storedFile(id);
  }

  async remove(id: string): Promise<void> {
    if (this.active?.id === id) return;
    await remove(id);
    await this.refresh();
  }
}
