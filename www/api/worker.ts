import { messageOf } from './error.js';
import { Host } from './host.js';
import type { Reply, Request } from './protocol.js';
import { knowsRelaxedSimd } from './relaxed.js';

const post = (message: Reply) => postMessage(message);
const relaxed = knowsRelaxedSimd();
const engine = relaxed ? import('./engine_relaxed.js') : import('./engine.js');
const seldom = {
  pictures: () => import('./pictures.js'),
  readers: () => import('./readers.js'),
  measure: () => (relaxed ? import('./measure_relaxed.js') : import('./measure.js')),
};
const host = engine.then((wasm) => new Host(wasm, seldom, post));

addEventListener('message', (event: MessageEvent<Request>) => void host.then((host) => host.handle(event.data)));
// A panic in wasm leaves its promise pending for ever and surfaces only here.
addEventListener('unhandledrejection', (event) => post({ type: 'crashed', message: messageOf(event.reason) }));
addEventListener('error', (event) => post({ type: 'crashed', message: event.message }));
