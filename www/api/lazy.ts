import { messageOf, SklensError } from './error.js';
import type { ErrorCode } from './types.js';

/** A wasm module that is loaded when first needed, and once; after a failure the next use tries again. */
export class LazyModule<Module extends { default(): Promise<unknown> }> {
  #ready: Promise<Module> | undefined;

  /** `code` and `name`, “decoder for this picture”, are those of the error when it cannot be loaded. */
  constructor(
    private readonly load: () => Promise<Module>,
    private readonly code: ErrorCode,
    private readonly name: string,
  ) {}

  async get(): Promise<Module> {
    this.#ready ??= this.load().then(async (module) => {
      await module.default();
      return module;
    });
    try {
      return await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw new SklensError(this.code, `The ${this.name} could not be loaded: ${messageOf(error)}`);
    }
  }
}
