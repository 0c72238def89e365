import { expect, test } from 'vitest';
import type { ReceptiveField } from 'sklens';
import { fieldCaption, fieldChartCaption } from '../src/lib/captions';
import { cropBox } from '../src/lib/crop';
import { chartRows, expectedBox, heat, placeInCrop, placeInPhoto, shows, sideOf } from '../src/lib/field';

const size = [640, 480] as const;

function field(sides: number[], expected = 25): ReceptiveField {
  return {
    unit: 'SK_3_4',
    pixel: [30, 40],
    cell: [3, 5],
    theoretical: { x0: 10, y0: 21, x1: 51, y1: 62 },
    theoreticalInside: null,
    sizes: { smallest: 19, largest: 41, expected },
    shape: [112, 112],
    map: new Float32Array(112 * 112),
    squares: [0.5, 0.9, 0.99].flatMap((share, i) => {
      const side = sides[i];
      return side === undefined ? [] : [{ share, side, bounds: { x0: 0, y0: 0, x1: side, y1: side } }];
    }),
    milliseconds: 1,
  };
}

test('places go from photo to crop and back, and stay inside', () => {
  const crop = cropBox(...size, 0.875, 2, [0.6, 0.5]);
  const place = placeInCrop([0.62, 0.55], size, crop, 112);
  const [x, y] = placeInPhoto(place, size, crop);
  expect(x).toBeCloseTo(0.62);
  expect(y).toBeCloseTo(0.55);
  expect(placeInCrop([0, 1], size, crop, 100)).toEqual([0.005, 0.995]);
  expect(shows([0.6, 0.5], size, crop)).toBe(true);
  expect(shows([0.1, 0.5], size, crop)).toBe(false);
});

test('the expected box is as wide as attention makes it and centred on theory', () => {
  expect(expectedBox(field([]))).toEqual({ x0: 18, y0: 29, x1: 43, y1: 54 });
});

test('heat is transparent where nothing acts and brightest at the largest value', () => {
  const pixels = heat(Float32Array.from([0, 1, 4]));
  const brightness = [0, 1, 2].map((p) => pixels.subarray(4 * p, 4 * p + 3).reduce((sum, value) => sum + value, 0));
  expect([pixels[3], pixels[7], pixels[11]]).toEqual([0, 204, 255]);
  expect(brightness[1]).toBeLessThan(brightness[2] ?? 0);
  expect(brightness[0]).toBeLessThan(brightness[1] ?? 0);
  expect(heat(new Float32Array(2))[3]).toBe(0);
});

test('sentences come from the numbers', () => {
  expect(fieldCaption(field([11, 31, 51]), 1.5, [0.25, 0.5], '3×3', '5×5')).toBe(
    'SK_3_4 at 1.50×, 25 % from the left and 50 % from the top: half of what moves its output lies within 11 of the input’s 112 pixels, ' +
      '90 % within 31, 99 % within 51. With 5×5 everywhere it could see 41 pixels, with 3×3 19; this photo’s attention makes 25 of it.',
  );
  expect(fieldCaption(field([]), 1, [0.25, 0.5], '3×3', '5×5')).toContain('Nothing in the picture moves');
  const point = (x: string, network: number) => ({
    x,
    fields: { smallest: field([1, network - 4, 3]), network: field([1, network, 3], 23), largest: field([1, network + 6, 3]) },
  });
  const rows = chartRows([point('1.00×', 31), point('3.00×', 35)]);
  expect(rows[1]).toMatchObject({ x: '3.00×', smallest: 19, largest: 41, expected: 23, sides: { smallest: 31, network: 35, largest: 41 } });
  expect(fieldChartCaption(rows, '3×3', '5×5')).toBe(
    'From 1.00× to 3.00× the square that holds 90 % goes from 31 to 35 pixels. At 3.00× it would be 31 with 3×3 everywhere and 41 with 5×5.',
  );
  expect(sideOf(field([]), 0.9)).toBeNull();
  expect(fieldChartCaption([], '3×3', '5×5')).toBe('');
});
