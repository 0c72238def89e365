/** The contract of `pictures.js`, which decodes nothing here. */
import { CodedError } from './fake-engine';

export default async function init(): Promise<unknown> {
  return undefined;
}

export class Picture {
  static decode(): Picture {
    throw new CodedError('bad-image', 'The stand-in for the engine decodes JPEG only.');
  }
}
