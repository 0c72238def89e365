/** Weights files that the visitor brings: recognised where possible, else asked about. */
import type { Inspection } from 'sklens';
import type { Explorer, NetworkChoice } from '../state.svelte';

/** A file with what its tensors tell. */
export interface WeightsFile {
  file: File;
  inspection: Inspection;
}

export class WeightsFiles {
  /** The file that waits for the visitor to choose its network. */
  pending: WeightsFile | null = $state.raw(null);
  /** The last recognised file, with the choice that opened it. */
  #recognised: (WeightsFile & { choice: NetworkChoice }) | null = $state.raw(null);
  /** The running file where other networks fit it as well. */
  readonly ambiguous: WeightsFile | null = $derived.by(() => {
    const found = this.#recognised;
    return found && found.choice === this.explorer.network && found.inspection.candidates.length > 1 ? found : null;
  });
  #turn = 0;

  constructor(private readonly explorer: Pick<Explorer, 'show' | 'network' | 'inspect' | 'misfit'>) {}

  /** Opens `file` as the network that it is recognised as; leaves it pending where there is none. */
  async open(file: File): Promise<void> {
    const turn = ++this.#turn;
    this.pending = null;
    const inspection = await this.explorer.inspect(file);
    if (turn !== this.#turn || !inspection) return;
    if (inspection.recognised === null) {
      this.pending = { file, inspection };
      return;
    }
    const choice = { model: inspection.recognised, weights: file };
    this.#recognised = { file, inspection, choice };
    await this.explorer.show(choice);
  }

  /** Lets the visitor choose among the networks that fit the running file. */
  reconsider(): void {
    this.pending = this.ambiguous;
  }
}
