import { expect, it } from 'vitest';
import { essentials } from '../src/lib/card.ts';

it('gives whole facts only', () => {
  const whole = essentials({ dataset: 'Tiny', epochs: '75.00', top1: '55.1', top5: '79.3', licence: 'MIT', card: 'sk_shufflenet_v2_x1_0.tiny200' });
  expect(whole).toEqual({
    training: { dataset: 'Tiny', epochs: '75' },
    accuracy: { top1: '55.1', top5: '79.3' },
    licence: 'MIT',
    described: true,
  });
  expect(essentials({ top1: '55.1', dataset: 'Tiny' })).toEqual({ training: null, accuracy: null, licence: null, described: false });
});

it('counts the epochs of the runs before', () => {
  const epochs = (given: Record<string, string>) => essentials({ dataset: 'Tiny', ...given }).training?.epochs;
  expect(epochs({ epochs: '26.00', history: '[{"epochs": "21.0"}, {"epochs": 0.54}]' })).toBe('47.5');
  for (const history of ['[{}]', '[{"epochs": "many"}]', '{"epochs": "1"}', '[null]', 'none']) {
    expect(epochs({ epochs: '26', history }), history).toBeUndefined();
  }
});
