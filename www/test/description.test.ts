import { expect, test } from 'vitest';
import { describe, fieldAtFault, formOf, paperForm } from '../src/lib/description';

test.each(['sknet', 'sk_shufflenet_v2'] as const)('a form of %s survives being described', (family) => {
  const form = { ...paperForm(family), depths: '2 2', widths: '24, 48', r: 8, classes: 10, side: 112, attention: false };
  form.branches[1] = { kernel: 5, dilation: 1, groups: 64 };
  const back = formOf(describe(form));
  expect(describe(back)).toEqual(describe(form));
  expect(back).toMatchObject({ family, depths: '2 2', r: 8, side: 112, attention: false });
});

test('each family describes only what it has', () => {
  const sknet = describe(paperForm('sknet'));
  expect(sknet).toMatchObject({ sknet: { depths: [3, 4, 6, 3], groups: 32, branches: [{ kernel: 3, dilation: 1 }, { kernel: 3, dilation: 2 }] } });
  expect(sknet).not.toHaveProperty('sknet.widths');
  expect(describe(paperForm('sk_shufflenet_v2'))).not.toHaveProperty('sk_shufflenet_v2.groups');
});

test('a short description leaves the rest as in the paper', () => {
  expect(formOf({ sknet: { r: 4, branches: [{ kernel: 5 }] } })).toEqual({
    ...paperForm('sknet'),
    r: 4,
    branches: [{ kernel: 5, dilation: 1, groups: null }],
  });
});

test.each([
  ['kernel 4 is even; use an odd width', 'kernel'],
  ['the number of stages in depths is 7; it must be from 1 to 6', 'depths'],
  ['out_width is 0; it must be from 1 to 2048', 'out_width'],
  ['r is 0; it must be from 1 to 1024', 'r'],
  ['M, the number of branches, is 9; it must be from 1 to 8', 'branches'],
  ['the network is not understood: expected value at line 1', undefined],
])('%s', (message, field) => {
  expect(fieldAtFault(message)).toBe(field);
});
