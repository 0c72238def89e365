/** What `pictures.js`, the wasm module of PNG and WebP decoders, offers to the worker. */

export default function init(module?: { module_or_path: unknown }): Promise<unknown>;

export class Picture {
  private constructor();
  /** Throws `bad-image`. */
  static decode(bytes: Uint8Array): Picture;
  readonly width: number;
  readonly height: number;
  /** A copy of the pixels. */
  readonly rgb: Uint8Array;
  free(): void;
}
