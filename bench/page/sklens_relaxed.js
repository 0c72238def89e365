/** SK Lens, compiled for relaxed SIMD: the module that the page loads where the browser knows it. */
import * as engine from '/pkg/engine_relaxed.js';
import { contestant } from './engine.js';

export const { about, load } = contestant(engine, 'relaxed SIMD');
