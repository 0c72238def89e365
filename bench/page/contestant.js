/**
 * One contestant in a page of its own: `?engine=sklens&gpu=1`. Offers `contestant.open(case)`, which resolves to the output
 * for the case's input, and `contestant.run({ times, batch, side })`, which resolves to seconds.
 */
import { values } from './files.js';

const parameters = new URLSearchParams(location.search);
const gpu = parameters.get('gpu') === '1';
const { load, about } = await import(`./${parameters.get('engine')}.js`);

let run;
let input;

window.contestant = {
  about: () => about(gpu),

  async open(example) {
    input = { data: await values(`${example.name}.input.f32`), shape: example.shape };
    run = await load(example, input, gpu);
    const output = await run(input);
    return Array.from(run.toReference ? run.toReference(output) : output);
  },

  async run({ times, batch, side }) {
    const own = batch === undefined ? input : resized(batch, side);
    const start = performance.now();
    for (let i = 0; i < times; i++) await run(own);
    return (performance.now() - start) / 1e3;
  },
};

/** Any values will do for a time: the input's, repeated. */
function resized(batch, side) {
  const shape = [batch, 3, side, side];
  const data = Float32Array.from({ length: batch * 3 * side * side }, (_, i) => input.data[i % input.data.length]);
  return { data, shape };
}
