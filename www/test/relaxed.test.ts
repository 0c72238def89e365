import { afterEach, expect, test, vi } from 'vitest';
import { knowsRelaxedSimd } from '../api/relaxed';

afterEach(() => vi.restoreAllMocks());

test('relaxed SIMD is known where an instruction of it is valid', () => {
  const validate = vi.spyOn(WebAssembly, 'validate');
  const known = knowsRelaxedSimd();
  const [module] = validate.mock.calls[0] as [Uint8Array<ArrayBuffer>];
  expect(known).toBe(validate.mock.results[0]?.value);

  // The module is well formed: with an instruction of plain SIMD (f32x4.mul, then add) in its place it is valid everywhere.
  const plain = [...module];
  const body = plain.lastIndexOf(0xfd);
  plain.splice(body - 6, 9, 0x20, 0, 0x20, 1, 0xfd, 0xe6, 0x01, 0x20, 2, 0xfd, 0xe4, 0x01);
  plain[body - 6 - 4] = 0x10;
  plain[body - 6 - 2] = 0x0e;
  expect(WebAssembly.validate(new Uint8Array(plain))).toBe(true);
});
