import { expect, test } from 'vitest';
import { draw, RANGES, steps, type Stimulus } from '../src/lib/stimuli';

const SIDE = 64;
const base: Stimulus = { kind: 'disc', size: 0.5, frequency: 4, contrast: 1, orientation: 0 };

function picture(change: Partial<Stimulus>) {
  const pixels = draw({ ...base, ...change }, SIDE);
  return (x: number, y: number) => pixels[4 * (y * SIDE + x)] as number;
}
const bright = (at: ReturnType<typeof picture>) => {
  let count = 0;
  for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) count += at(x, y) > 200 ? 1 : 0;
  return count;
};

test('a disc is as large as its size says and stands on grey', () => {
  expect(Math.abs(bright(picture({})) / (Math.PI * (SIDE / 4) ** 2) - 1)).toBeLessThan(0.05);
  expect(Math.round(picture({})(0, 0))).toBe(128);
  expect(picture({ contrast: 0 })(32, 32)).toBe(picture({})(0, 0));
});

test('a bar is as wide as its size says and turns with its orientation', () => {
  const upright = picture({ kind: 'bar', size: 0.25 });
  expect([upright(32, 1), upright(1, 32)].map((value) => value > 200)).toEqual([true, false]);
  expect(bright(upright)).toBe(SIDE * 16);
  const lying = picture({ kind: 'bar', size: 0.25, orientation: 90 });
  expect([lying(32, 1), lying(1, 32)].map((value) => value > 200)).toEqual([false, true]);
});

test('a grating has its number of periods across the picture', () => {
  const at = picture({ kind: 'grating', size: 2, frequency: 4 });
  let falls = 0;
  for (let x = 1; x < SIDE; x++) falls += at(x - 1, 32) > 128 && at(x, 32) <= 128 ? 1 : 0;
  expect(falls).toBe(4);
});

test.each(['size', 'frequency', 'contrast', 'orientation'] as const)('steps of %s run from end to end on the slider', (parameter) => {
  const { min, max, step } = RANGES[parameter];
  const values = steps(parameter);
  expect([values[0], values.at(-1)]).toEqual([min, max]);
  expect(values).toEqual([...values].sort((a, b) => a - b));
  for (const value of values) expect(Math.abs(value / step - Math.round(value / step))).toBeLessThan(1e-6);
});
