/** Written by the build from the engine itself. */
import type { ModelInfo } from './types.js';

export const models: readonly ModelInfo[];

/** Where the weights and labels that ship with the package are, by preset. */
export const bundled: Readonly<Record<string, { weights: URL; labels?: URL }>>;
