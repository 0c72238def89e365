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
    params: 2503044,
    macs: 148791672,
    inputSize: [112, 112],
    units: [58, 116, 232].flatMap((channels, stage) =>
      Array.from({ length: [4, 8, 4][stage] ?? 0 }, (_, index) => unit(stage + 2, index + 1, channels)),
    ),
  },
  { name: 'sknet50', params: 27479784, macs: 4462710784, inputSize: [224, 224], units: [unit(2, 1, 128)] },
];

export const bundled = { sk_shufflenet_v2_x1_0: new URL('data:application/octet-stream,weights') };
