import type { ModelInfo } from '../api/types';

const unit = (stage: number, index: number, channels: number) => ({
  name: `SK_${stage}_${index}`,
  path: `stage${stage}.${index - 1}.branch2.3`,
  channels,
  branches: [
    { kernel: 3, dilation: 1, groups: channels, size: 3 },
    { kernel: 3, dilation: 2, groups: channels, size: 5 },
  ],
});

export const models: ModelInfo[] = [
  {
    name: 'sk_shufflenet_v2_x1_0',
    aliases: [],
    params: 2503044,
    macs: 148791672,
    selectMacs: 818496,
    inputSize: [112, 112],
    classes: 1000,
    paper: { top1Error: 28.36, params: 2.63, gflops: 0.14566 },
    accuracy: null,
    units: [58, 116, 232].flatMap((channels, stage) =>
      Array.from({ length: [4, 8, 4][stage] ?? 0 }, (_, index) => unit(stage + 2, index + 1, channels)),
    ),
  },
  {
    name: 'sknet50',
    aliases: ['skresnext50_32x4d'],
    params: 27479784,
    macs: 4462710784,
    selectMacs: 5519360,
    inputSize: [224, 224],
    classes: 1000,
    paper: { top1Error: 20.79, params: 27.5, gflops: 4.47 },
    accuracy: null,
    units: [unit(2, 1, 128)],
  },
];

export const bundled = {
  sk_shufflenet_v2_x1_0: {
    url: new URL('data:application/octet-stream,weights'),
    sha256: '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',
  },
};
