// Memory that nothing lives in: the heap stays near what does, and a thread gets what it asks for also where the environment says something else.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const mebibyte = 2 ** 20;
const child = join(import.meta.dirname, 'heap-limits-child.ts');

type Heaps = { readonly heapBytes: number; readonly workerBytesMax: number };

/** Where no other thread marks what lives, what the heap grows to does not depend on other work on the machine. */
async function heapsOf(...parameters: readonly string[]): Promise<Heaps> {
  const environment = { ...process.env, NODE_OPTIONS: '--max-semi-space-size=16' };
  const { stdout } = await promisify(execFile)(process.execPath, ['--single-threaded-gc', '--expose-gc', child, ...parameters], { env: environment });
  return JSON.parse(stdout) as Heaps;
}

test('heaps do not grow to several times what lives in them', async () => {
  const [limited, left] = [await heapsOf('limited'), await heapsOf()];
  expect(limited.heapBytes).toBeLessThan(0.9 * left.heapBytes);
  expect(limited.workerBytesMax).toBe((100 + 6) * mebibyte);
  // What the environment says of new objects.
  expect(left.workerBytesMax).toBe((100 + 48) * mebibyte);
});
