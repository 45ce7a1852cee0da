/** The known answer that integers have to give before anything is refused by them. */
import { expect, test } from 'vitest';
import { areIntegersExact, kernelsFor, type Kernels } from '../../../src/clustering/search/kernels.ts';
import { sharedMemory } from '../../../src/clustering/search/web-assembly.ts';

/** What a processor would make of it that adds two products in 16 bits, and stops at what these hold. */
function saturating(memory: { readonly buffer: SharedArrayBuffer }, bits: number): Kernels['integerProducts'] {
  const limit = 2 ** (bits - 1) - 1;
  return (signed, unsigned, out) => {
    const [left, right, sums] = [new Int8Array(memory.buffer, signed, 16), new Uint8Array(memory.buffer, unsigned, 16), new Int32Array(memory.buffer, out, 4)];
    for (let lane = 0; lane < 4; lane++) {
      const pair = (at: number): number => Math.max(-limit - 1, Math.min(limit, (left[at] as number) * (right[at] as number) + (left[at + 1] as number) * (right[at + 1] as number)));
      sums[lane] = (sums[lane] as number) + pair(4 * lane) + pair(4 * lane + 2);
    }
  };
}

test('integers of this machine have the known answer, and so have those of one that adds in 16 bits', () => {
  const memory = sharedMemory(1, 1)!;
  const kernels = kernelsFor(memory);
  expect(areIntegersExact(kernels, memory, 0)).toBe(true);
  // 7 bits times 8 bits, twice, fit.
  expect(areIntegersExact({ ...kernels, integerProducts: saturating(memory, 16) }, memory, 0)).toBe(true);
});

test('integers that saturate, and such as take the wrong operand for the one without a sign, are found out', () => {
  const memory = sharedMemory(1, 1)!;
  const kernels = kernelsFor(memory);
  expect(areIntegersExact({ ...kernels, integerProducts: saturating(memory, 15) }, memory, 0)).toBe(false);
  const exchanged: Kernels['integerProducts'] = (signed, unsigned, out) => kernels.integerProducts(unsigned, signed, out);
  expect(areIntegersExact({ ...kernels, integerProducts: exchanged }, memory, 0)).toBe(false);
});
