/**
 * What `readers.js`, the wasm module that reads PyTorch and Caffe weights and recognises networks,
 * offers to the worker. It works only there.
 */

export default function init(module?: { module_or_path: unknown }): Promise<unknown>;

/** Where the tensors of a PyTorch or Caffe file are, in JSON, for `Engine.open`. Throws `bad-weights`. */
export function index(weights: Blob): string;
/** `Inspection` of any file, in JSON. Rejects with `bad-weights`. */
export function inspect(weights: Blob): Promise<string>;
/** The preset that any file is recognised as. Rejects with `bad-weights`. */
export function recognise(weights: Blob): Promise<string>;
