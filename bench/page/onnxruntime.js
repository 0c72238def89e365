/** ONNX Runtime Web: WebGPU, or WebAssembly with SIMD on one thread. */
import { adapter } from './files.js';

const folder = '/node_modules/onnxruntime-web/dist/';
const gpuOf = new URLSearchParams(location.search).get('gpu') === '1';
// The build for WebGPU is compiled for suspending calls, which slows its WebAssembly: each backend gets its own build.
const ort = await import(`${folder}${gpuOf ? 'ort.webgpu.min.mjs' : 'ort.wasm.min.mjs'}`);
ort.env.wasm.wasmPaths = folder;
ort.env.wasm.numThreads = 1;

export const about = async (gpu) => (gpu ? `WebGPU on ${await adapter()}` : 'WebAssembly, SIMD, one thread');

export async function load(example, input, gpu) {
  const session = await ort.InferenceSession.create(`/cases/${example.name}.onnx`, {
    executionProviders: [gpu ? 'webgpu' : 'wasm'],
    graphOptimizationLevel: 'all',
  });
  return async ({ data, shape }) => {
    const { output } = await session.run({ input: new ort.Tensor('float32', data, shape) });
    return output.data;
  };
}
