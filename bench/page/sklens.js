/** SK Lens, compiled for plain SIMD. */
import * as engine from '/pkg/engine.js';
import { contestant } from './engine.js';

export const { about, load } = contestant(engine, 'SIMD');
