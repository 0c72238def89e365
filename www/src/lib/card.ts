/** What a weights file's metadata says about how the weights came about. */

export interface Essentials {
  /** Name, and the number of epochs of this run and of those that it started from. */
  training: { dataset: string; epochs: string } | null;
  /** Percentages on the dataset's validation images. */
  accuracy: { top1: string; top5: string } | null;
  licence: string | null;
  /** Whether the site's model card describes these weights. */
  described: boolean;
}

/** The weights that the site's model card describes, by their metadata's `card`. */
const DESCRIBED = 'sk_shufflenet_v2_x1_0.tiny200';

/** `metadata` is anybody's; only whole facts are given. */
export function essentials(metadata: Readonly<Record<string, string>>): Essentials {
  const { dataset, top1, top5, licence, card } = metadata;
  const epochs = allEpochs(metadata);
  return {
    training: dataset && epochs ? { dataset, epochs } : null,
    accuracy: top1 && top5 ? { top1, top5 } : null,
    licence: licence ?? null,
    described: card === DESCRIBED,
  };
}

/** Of `epochs` and the earlier runs in `history`, to a tenth; null unless all are numbers. */
function allEpochs({ epochs, history = '[]' }: Readonly<Record<string, string>>): string | null {
  try {
    const earlier: unknown[] = (JSON.parse(history) as { epochs?: unknown }[]).map((run) => run.epochs);
    const sum = [epochs, ...earlier].reduce<number>((total, value) => total + Number(value || NaN), 0);
    return Number.isFinite(sum) ? String(Math.round(sum * 10) / 10) : null;
  } catch {
    return null;
  }
}
