/** `engine_relaxed.js`, the same module compiled for relaxed SIMD. */
export { default } from './engine.js';
export * from './engine.js';
