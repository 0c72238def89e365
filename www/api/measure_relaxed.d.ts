/** `measure_relaxed.js`, the same module compiled for relaxed SIMD. */
export { default } from './measure.js';
export * from './measure.js';
