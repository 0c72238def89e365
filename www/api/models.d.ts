/** Written by the build from the engine itself. */
import type { ModelInfo } from './types.js';

export const models: readonly ModelInfo[];

/** Where the weights that ship with the package are, by preset. */
export const bundled: Readonly<Record<string, URL>>;
