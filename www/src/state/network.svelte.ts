/** The network that runs: another takes its place only once that is ready. */
import type { BackendChoice, Inspection, ModelInfo, NetworkDescription, Progress, Session, SessionInfo, UnitInfo, WeightPrecision } from 'sklens';
import * as sklens from 'sklens';
import { messageOf } from '../lib/message';
import { PAPER_ZOOMS } from '../lib/zooms';
import { keepTuning, keptTunings, wantTuned, wantsTuned } from '../lib/tunings';
import { t } from '../strings';

const preset = sklens.models().find(({ name }) => name === sklens.bundledModels()[0]);

/** How many pictures the page looks at together: the present zoom, and those of {@link PAPER_ZOOMS}. */
const BATCHES = [1, PAPER_ZOOMS.length];

/** A network with its weights: a file, those bundled with the page, or random ones. */
export interface NetworkChoice {
  model: string | NetworkDescription;
  weights?: Blob;
  random?: boolean;
}

export abstract class RunningNetwork {
  /** What runs, or will first. */
  network: NetworkChoice | undefined = $state.raw(preset && { model: preset.name });
  backend: BackendChoice = $state('auto');
  precision: WeightPrecision | 'auto' = $state('auto');
  /** Whether the GPU runs the kernels that were measured to be the fastest on it. */
  tuned = $state(wantsTuned());
  /** Whether they are being measured. */
  tuning = $state(false);
  info: SessionInfo | null = $state.raw(null);
  opening = $state(true);
  progress: Progress | null = $state.raw(null);
  error: string | null = $state(null);
  /** Why the last network could not be opened, in full; the one before still runs. */
  misfit: string | null = $state(null);
  /** Another object whenever another network or engine has begun to run. */
  session: Session | null = $state.raw(null);

  /** The preset's until the network is loaded, so that the page has its shape from the start. */
  readonly units: readonly UnitInfo[] = $derived(this.info?.units ?? preset?.units ?? []);
  /** Whether there are units with more than one kernel to choose from. */
  readonly chooses: boolean = $derived(this.units.some(({ branches }) => branches.length > 1));
  /** Whether {@link ask} has a network to ask. */
  readonly ready: boolean = $derived(this.info !== null);
  /** Whether what the network says means nothing. */
  readonly random: boolean = $derived(this.info?.metadata.weights === 'random');
  readonly cropPct: number = $derived(this.info?.cropPct ?? 1);

  #opened = 0;

  /** Called when numbers of the network before mean nothing any more. */
  protected abstract forget(): void;
  /** Called when another network or engine runs. */
  protected abstract opened(): void;

  /** Opens the present network on `backend`, its weights kept as told; whatever runs keeps running until it is ready. */
  async run(backend = this.backend, precision = this.precision): Promise<void> {
    const network = this.network;
    if (!network) {
      this.opening = false;
      this.error = t.errors.noModel;
      return;
    }
    const before = { backend: this.backend, precision: this.precision };
    Object.assign(this, { backend, precision });
    await this.#open(network, (message) => {
      this.error = t.errors.engine(t.engine.choices[backend], message);
      if (this.session) Object.assign(this, before);
    });
  }

  /** Measures and keeps which kernels are the fastest on the GPU that runs, or goes back to the default ones. */
  async tune(wanted: boolean): Promise<void> {
    if (!this.session || this.tuning) return;
    const before = { session: this.session, tuned: this.tuned };
    this.#want(wanted);
    // With what was measured earlier, or without.
    if (!wanted || keptTunings().length > 0) {
      await this.run();
      if (this.session === before.session) return this.#want(before.tuned);
    }
    if (wanted) await this.#measure(this.session);
  }

  #want(tuned: boolean): void {
    wantTuned(tuned);
    this.tuned = tuned;
  }

  async #measure(session: Session): Promise<void> {
    const isOpen = () => session === this.session;
    const onProgress = (progress: Progress) => {
      if (isOpen() && !this.opening) this.progress = progress;
    };
    this.tuning = true;
    try {
      for (const batch of BATCHES) {
        const tuning = await session.tune({ batch, onProgress }).catch((error: unknown) => {
          // Where so many do not fit, they are never looked at together either.
          if (batch > 1 && (error as { code?: string }).code === 'bad-option') return null;
          throw error;
        });
        if (tuning) keepTuning(tuning);
        if (isOpen()) this.info = session.info;
      }
    } catch (error) {
      if (isOpen()) {
        this.error = messageOf(error);
        this.#want(false);
      }
    } finally {
      this.tuning = false;
      if (isOpen() && !this.opening) this.progress = null;
    }
  }

  /** Opens another network beside the running one, which stays if that fails; tells whether it runs. */
  async show(network: NetworkChoice): Promise<boolean> {
    this.misfit = null;
    await this.#open(network, (message) => (this.misfit = message));
    return this.network === network;
  }

  /** What a weights file tells; null where it cannot be read, or another is opened meanwhile. */
  async inspect(file: Blob): Promise<Inspection | null> {
    const turn = ++this.#opened;
    this.misfit = null;
    this.opening = true;
    this.progress = { phase: 'weights', done: 0, total: 0 };
    try {
      const found = await sklens.inspect(file);
      return turn === this.#opened ? found : null;
    } catch (error) {
      if (turn === this.#opened) this.misfit = messageOf(error);
      return null;
    } finally {
      this.#settle(turn);
    }
  }

  /** The figures of a described network. */
  async describe(description: NetworkDescription): Promise<ModelInfo> {
    if (!this.session) throw new Error(t.networks.waiting);
    return this.session.describe(description);
  }

  async #open(network: NetworkChoice, refused: (message: string) => void): Promise<void> {
    const turn = ++this.#opened;
    this.opening = true;
    try {
      const session = await sklens.open({
        ...network,
        backend: this.backend,
        weightPrecision: this.precision,
        tunings: this.tuned ? keptTunings() : [],
        onProgress: (progress) => {
          if (turn === this.#opened) this.progress = progress;
        },
      });
      if (turn !== this.#opened) return session.close();
      if (network !== this.network) this.forget();
      this.network = network;
      this.#adopt(session);
    } catch (error) {
      if (turn !== this.#opened) return;
      refused(messageOf(error));
    } finally {
      this.#settle(turn);
    }
  }

  /** Lets the network and its memory go, also one that is still opening. */
  close(): void {
    this.#settle(++this.#opened);
    this.session?.close();
    this.session = null;
    this.info = null;
    this.network = undefined;
    this.misfit = null;
  }

  #settle(turn: number): void {
    if (turn !== this.#opened) return;
    this.opening = false;
    this.progress = null;
  }

  #adopt(session: Session): void {
    this.session?.close();
    this.session = session;
    this.info = session.info;
    session.addEventListener('engine', (event) => {
      this.info = session.info;
      this.error = t.errors.replaced((event as sklens.EngineEvent).cause, t.engine.runs(this.info.backend, this.info.adapter));
    });
    this.opened();
  }
}
