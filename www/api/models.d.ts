/** Written by the build from the engine itself. */
import type { ModelInfo } from './types.js';

export const models: readonly ModelInfo[];

/** Where the weights that ship with the package are, and the hash of their file, by preset. */
export const bundled: Readonly<Record<string, { readonly url: URL; readonly sha256: string }>>;
