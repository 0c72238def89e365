/** TensorFlow.js: 1×1 convolutions on WebGPU, or WebAssembly with SIMD on one thread. */
import { values } from './files.js';

const packages = '/node_modules/@tensorflow/';

function script(path) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = packages + path;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${path} could not be loaded`));
    document.head.append(element);
  });
}

async function start(gpu) {
  await script('tfjs-core/dist/tf-core.min.js');
  await script('tfjs-backend-cpu/dist/tf-backend-cpu.min.js');
  const backend = gpu ? 'webgpu' : 'wasm';
  await script(`tfjs-backend-${backend}/dist/tf-backend-${backend}.min.js`);
  if (!gpu) tf.wasm.setWasmPaths(`${packages}tfjs-backend-wasm/dist/`);
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
  await tf.ready();
}

export const about = async (gpu) => (gpu ? 'WebGPU' : 'WebAssembly, SIMD, one thread');

/** `[C, positions]` as `[positions, C]`, or the other way round. */
function transposed(data, rows, columns) {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  return out;
}

/** TensorFlow.js gets its own order of dimensions, channels last, at no cost to it. */
export async function load(example, { data, shape: [, channels, height, width] }, gpu) {
  await start(gpu);
  const { in_channels: i, out_channels: o, stride } = example;
  const weights = await values(`${example.name}.weight.f32`);
  const filter = tf.tensor4d(transposed(weights, o, i), [1, 1, i, o]);
  const picture = transposed(data, channels, height * width);
  const run = async () => {
    const x = tf.tensor4d(picture, [1, height, width, channels]);
    const y = tf.conv2d(x, filter, stride, 'valid', 'NHWC');
    const out = await y.data();
    tf.dispose([x, y]);
    return out;
  };
  run.toReference = (out) => transposed(out, out.length / o, o);
  return run;
}
