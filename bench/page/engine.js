/** SK Lens with one of the engine's modules; single operators with the benchmark's own. */
import initOperator, { OperatorRunner } from '/operator/operator.js';
import { adapter } from './files.js';

/** What a contestant offers, from `engine.js` of the package or `engine_relaxed.js`; `simd` is what that is compiled for. */
export function contestant({ default: initEngine, Engine }, simd) {
  return {
    about: async (gpu) => (gpu ? adapter() : `${simd}, one thread`),

    async load(example, input, gpu) {
      if (example.kind === 'network') {
        await initEngine();
        const weights = await (await fetch(`/cases/${example.name}.safetensors`)).blob();
        const options = { backend: gpu ? 'gpu' : 'cpu', precision: 'f32' };
        const engine = await Engine.open(example.name, weights, undefined, options, () => {});
        return async ({ data, shape }) => (await engine.analyzeTensor(data, shape, undefined))[0].logits;
      }
      await initOperator();
      const { name, shape, outputShape, ...operator } = example;
      const runner = await OperatorRunner.open(JSON.stringify(operator), gpu);
      return ({ data }) => runner.run(data);
    },
  };
}
