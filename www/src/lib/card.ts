/** What a weights file's metadata says about how the weights came about. */

export interface Essentials {
  /** Name and number of epochs. */
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
  const { dataset, epochs, top1, top5, licence, card } = metadata;
  return {
    training: dataset && epochs ? { dataset, epochs: String(Math.round(Number(epochs) * 10) / 10) } : null,
    accuracy: top1 && top5 ? { top1, top5 } : null,
    licence: licence ?? null,
    described: card === DESCRIBED,
  };
}
