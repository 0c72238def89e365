/** A collection on its way through the network, one photo after another, whatever view is on show. */
import type { Session, SessionInfo } from 'sklens';
import type { Item } from '../lib/collection';
import { messageOf } from '../lib/message';
import { Collector, type Group } from '../lib/statistics';
import { PAPER_ZOOMS } from '../lib/zooms';
import type { Explorer } from '../state.svelte';

/** Photos that tell how long the others will take. */
const TRIAL = 4;
/** Work of more seconds waits for the visitor's word. */
const LONG = 30;
/** Calls at once, so that the worker need not wait for the page. */
const AT_ONCE = 2;
/** Milliseconds between two updates of the charts. */
const REFRESH = 500;

export type Phase = 'empty' | 'running' | 'waiting' | 'done' | 'stopped';

/** A photo without numbers. */
export interface Missing {
  image: string;
  error: string;
}

/** What is known of the photos so far. */
export interface Summary {
  all: Group;
  classes: Record<string, Group>;
}

export class Collection {
  items: readonly Item[] = $state.raw([]);
  phase: Phase = $state('empty');
  /** Photos that were looked at, unreadable ones included. */
  done = $state(0);
  missing: readonly Missing[] = $state.raw([]);
  summary: Summary | null = $state.raw(null);
  /** Milliseconds per photo so far. */
  pace: number | null = $state(null);
  /** Why it stopped. */
  error: string | null = $state(null);
  /** What the numbers belong to. */
  info: SessionInfo | null = $state.raw(null);
  /** Names of the units that choose. */
  readonly units: readonly string[] = $derived((this.info?.units ?? []).filter(({ branches }) => branches.length > 1).map(({ name }) => name));
  /** Seconds for what is left. */
  readonly left: number | null = $derived(this.pace === null ? null : ((this.items.length - this.done) * this.pace) / 1000);

  /** Differences by item, each by zoom and unit; null where there are none. */
  rows: (Float32Array | null)[] = [];
  #session: Session | null = null;
  #collector = new Collector([], 0);
  #next = 0;
  #busy = 0;
  #turn = 0;
  /** Whether the visitor wants a rest. */
  #paused = false;
  #running: Promise<void> = Promise.resolve();
  #shown = 0;

  constructor(private readonly explorer: Explorer) {}

  /** Begins with other photos. */
  async choose(items: readonly Item[]): Promise<void> {
    this.#turn++;
    this.items = items;
    this.rows = [];
    this.missing = [];
    this.summary = null;
    this.pace = null;
    this.error = null;
    this.done = this.#next = this.#busy = 0;
    this.#paused = false;
    this.#session = this.explorer.session;
    this.info = this.explorer.info;
    this.#collector = new Collector(this.units, PAPER_ZOOMS.length);
    this.phase = items.length > 0 ? 'waiting' : 'empty';
    if (items.length === 0 || !this.#session || this.units.length === 0) return;
    await this.#run(TRIAL);
    if (!this.#paused && this.phase === 'waiting' && (this.left ?? 0) <= LONG) await this.go();
  }

  /** Begins once more, with the network that runs. */
  async again(): Promise<void> {
    await this.choose(this.items);
  }

  /** Goes on to the end. */
  async go(): Promise<void> {
    // Photos may be chosen before the first network is ready.
    if (!this.#session) return this.choose(this.items);
    this.#paused = false;
    await this.#run(this.items.length);
  }

  /** Waits after the photos that are in the worker. */
  pause(): void {
    this.#paused = true;
    if (this.phase === 'running') this.phase = 'waiting';
  }

  /** Looks at photos up to `end`, once what ran before has come to rest. */
  #run(end: number): Promise<void> {
    const turn = this.#turn;
    this.#running = this.#running.then(() => (turn === this.#turn && this.phase === 'waiting' ? this.#go(turn, end) : undefined));
    return this.#running;
  }

  async #go(turn: number, end: number): Promise<void> {
    this.phase = 'running';
    const began = performance.now() - this.#busy;
    const worker = async () => {
      while (turn === this.#turn && this.phase === 'running' && this.#next < Math.min(end, this.items.length)) {
        await this.#look(this.#next++, turn);
        if (turn !== this.#turn) return;
        this.#busy = performance.now() - began;
        this.pace = this.#busy / Math.max(this.done, 1);
        this.#show();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (turn !== this.#turn) return;
    this.#show(true);
    if (this.done === this.items.length) this.phase = 'done';
    else if (this.phase === 'running') this.phase = 'waiting';
  }

  async #look(index: number, turn: number): Promise<void> {
    const { path, class: name, file } = this.items[index] as Item;
    const session = this.#session as Session;
    try {
      const results = await session.analyze(await file(), { scales: PAPER_ZOOMS });
      if (turn !== this.#turn) return;
      const differences = results.flatMap(({ units }) => units.flatMap(({ meanDifference }) => meanDifference ?? []));
      this.rows[index] = Float32Array.from(differences);
      this.#collector.add(name, this.rows[index]);
    } catch (error) {
      if (turn !== this.#turn) return;
      // Without an engine every photo would fail; another network's numbers do not belong here.
      if (['closed', 'device-lost'].includes((error as { code?: string }).code ?? '')) {
        this.#next = Math.min(this.#next, index);
        this.phase = 'stopped';
        this.error = messageOf(error);
        return;
      }
      this.rows[index] = null;
      this.missing = [...this.missing, { image: path, error: messageOf(error) }];
    }
    this.done++;
  }

  /** Charts are drawn again now and then, not for every photo. */
  #show(now = false): void {
    if (!now && performance.now() - this.#shown < REFRESH) return;
    this.#shown = performance.now();
    this.summary = { all: this.#collector.all, classes: this.#collector.classes };
  }
}

const collections = new WeakMap<Explorer, Collection>();

/** The page's one collection. */
export function collectionOf(explorer: Explorer): Collection {
  let found = collections.get(explorer);
  if (!found) collections.set(explorer, (found = new Collection(explorer)));
  return found;
}
