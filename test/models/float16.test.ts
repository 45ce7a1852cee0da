import { expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { float16Bits, float16Value } from '../../src/models/float16.ts';

/** By the definition, without the code under test. */
function valueByDefinition(bits: number): number {
  const digits = bits.toString(2).padStart(16, '0');
  const sign = digits[0] === '1' ? -1 : 1;
  const exponent = Number.parseInt(digits.slice(1, 6), 2);
  const fraction = Number.parseInt(digits.slice(6), 2);
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * (fraction / 1024) * 2 ** -14 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test('all 65,536 patterns have their value, and every number comes back as its pattern', () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 65_536; bits += 1) {
    const value = float16Value(bits);
    const isRight = Object.is(value, valueByDefinition(bits));
    const comesBack = Number.isNaN(value) ? Number.isNaN(float16Value(float16Bits(value))) : float16Bits(value) === bits;
    if (!isRight || !comesBack) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

test.each([
  [1, 0x3c00],
  [-2, 0xc000],
  [65_504, 0x7bff],
  [65_519.99, 0x7bff],
  [65_520, 0x7c00],
  [1e9, 0x7c00],
  [-1e9, 0xfc00],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [1 + 2 ** -11 + 2 ** -20, 0x3c01],
  [2 - 2 ** -12, 0x4000],
  [2 ** -14, 0x0400],
  [2 ** -14 - 2 ** -25, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [2 ** -25 * 1.5, 0x0001],
  [2 ** -24 * 1.5, 0x0002],
  [2 ** -24 * 2.5, 0x0002],
  [1e-30, 0x0000],
  [-0, 0x8000],
  [Number.POSITIVE_INFINITY, 0x7c00],
])('%d rounds to %i', (value, bits) => {
  expect(float16Bits(value)).toBe(bits);
});

test('rounds to the nearest of its two neighbours', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 20_000; round += 1) {
    const value = Math.fround((random() - 0.5) * 2 ** (random() * 40 - 24));
    const found = Math.abs(float16Value(float16Bits(value)) - value);
    const bits = float16Bits(value) & 0x7fff;
    for (const neighbour of [bits - 1, bits + 1]) {
      if (neighbour >= 0 && neighbour < 0x7c00) expect(found).toBeLessThanOrEqual(Math.abs(float16Value(neighbour) - Math.abs(value)));
    }
  }
});
