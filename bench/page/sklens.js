/** SK Lens: networks with the module that the page loads, single operators with the benchmark's own. */
import initEngine, { Engine } from '/pkg/engine.js';
import initOperator, { OperatorRunner } from '/operator/operator.js';
import { adapter } from './files.js';

export const about = async (gpu) => (gpu ? adapter() : 'SIMD, one thread');

export async function load(example, input, gpu) {
  if (example.kind === 'network') {
    await initEngine();
    const weights = await (await fetch(`/cases/${example.name}.safetensors`)).blob();
    const engine = await Engine.open(example.name, weights, gpu ? 'gpu' : 'cpu', () => {});
    return async ({ data, shape }) => (await engine.analyzeTensor(data, shape, undefined))[0].logits;
  }
  await initOperator();
  const { name, shape, outputShape, ...operator } = example;
  const runner = await OperatorRunner.open(JSON.stringify(operator), gpu);
  return ({ data }) => runner.run(data);
}
