import type { Result, SessionInfo } from 'sklens';
import { expect, test } from 'vitest';
import { analysisFile } from '../src/lib/analysisFile';
import type { Photo } from '../src/lib/photo';
import { isReproducible, pythonProgram, type Reproduced } from '../src/lib/python';
import { models } from './fake-models';

const [preset] = models;
const info = {
  model: 'sk_shufflenet_v2_x1_0',
  backend: 'cpu',
  adapter: 'simd',
  params: 1,
  macs: 2,
  inputSize: [112, 112],
  classes: 200,
  cropPct: 1,
  units: preset?.units ?? [],
  metadata: { interpolation: 'bicubic', labels: '["cat"]', mean: '0.485,0.456,0.406', std: '0.229,0.224,0.225', card: 'tiny' },
} as unknown as SessionInfo;
const reproduced: Reproduced = {
  info,
  photo: { name: 'rotated.jpg.png' },
  weights: { name: 'sk_shufflenet_v2_x1_0.tiny200.safetensors' },
  zooms: [1, 1.5, 2],
  center: [0.5, 0.5],
};

test('the program for figure 3 is the one that reference/check_program.py runs', async () => {
  await expect(pythonProgram(reproduced)).toMatchFileSnapshot('../../reference/figure3_program.py');
});

test('names and metadata stay data in the program', () => {
  const evil = pythonProgram({
    ...reproduced,
    info: { ...info, metadata: { mean: '0, 0, exit()', std: '1,1', interpolation: 'exit()' } },
    photo: { name: '"\nexit()\n".png', url: 'https://a.example/b\nexit()' },
  });
  expect(evil).toContain('PHOTO = "\\"\\nexit()\\n\\".png"  # https://a.example/bexit()\n');
  expect(evil).toContain('MEAN = (0.485, 0.456, 0.406)\nSTD = (0.229, 0.224, 0.225)\n');
  expect(evil).toContain('Resampling.BICUBIC');
});

test('there is a program where timm or torchvision has the network', () => {
  expect(pythonProgram({ ...reproduced, info: { ...info, model: 'sknet50' } })).toContain('timm.create_model("skresnext50_32x4d"');
  const plain = pythonProgram({ ...reproduced, info: { ...info, model: 'shufflenet_v2_x0_5', metadata: {} } });
  expect(plain).toContain('Resampling.BILINEAR');
  expect(plain).not.toContain('SelectiveKernel');
  for (const model of ['sknet50_caffe', 'sknet29_cifar10', 'se_shufflenet_v2_x0_5', 'toString']) {
    expect(isReproducible(model), model).toBe(false);
    expect(pythonProgram({ ...reproduced, info: { ...info, model } })).toBeUndefined();
  }
});

test('the file holds every unit and channel at every zoom', () => {
  const unit = { ...(preset?.units[0] as SessionInfo['units'][number]), channels: 2 };
  const result = (scale: number) =>
    ({
      scale,
      top: [{ label: 'cat', index: 0, probability: 1 }],
      logits: Float32Array.of(0.5),
      units: [{ name: unit.name, path: unit.path, attention: Float32Array.of(0.75, 0.5, 0.25, 0.5), meanDifference: -0.25 }],
      tensors: {},
      milliseconds: 3,
    }) as unknown as Result;
  const photo = { name: 'own.png', width: 400, height: 200, entry: null } as unknown as Photo;
  const file = JSON.parse(
    analysisFile({ info: { ...info, units: [unit] }, weights: 'w.safetensors', photo, center: [0.5, 0.5], results: [result(2), result(1)] }),
  );
  expect(file.results.map(({ scale }: Result) => scale)).toEqual([1, 2]);
  expect(file.results[1].crop).toEqual({ x: 150, y: 50, side: 100 });
  expect(file.results[0].units[0].attention).toEqual([[0.75, 0.5], [0.25, 0.5]]);
  expect(file.results[0]).toMatchObject({ logits: [0.5], top: [{ label: 'cat' }] });
  expect(file).toMatchObject({ engine: { backend: 'cpu', adapter: 'simd' }, weights: { file: 'w.safetensors' }, photo: { name: 'own.png', width: 400 } });
  expect(file.weights.metadata).toEqual({ interpolation: 'bicubic', mean: '0.485,0.456,0.406', std: '0.229,0.224,0.225', card: 'tiny' });
  expect(file.network).toMatchObject({ model: 'sk_shufflenet_v2_x1_0', inputSize: [112, 112], cropPct: 1 });
});
