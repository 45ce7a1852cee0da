// Pixels against Pillow and numpy (scripts/golden_images.py): equal where nothing is resized, near where two programs resize.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { testWith } from '../../requirements.ts';
import { imageTensor, type ImageParameters } from './image-fixtures.ts';

const folder = join(import.meta.dirname, 'golden');
const script = resolve(import.meta.dirname, '../../../scripts/golden_images.py');
const python = process.env['LABELSTREAM_TEST_PYTHON'] ?? 'python3';

type GoldenCase = {
  readonly name: string;
  readonly file: string;
  readonly preprocessing: ImageParameters;
  /** Absolute differences of the values, on average and at most. */
  readonly tolerance: { readonly mean: number; readonly max: number };
  readonly type: 'uint8' | 'float32';
  readonly values: string;
};

function valuesOf({ type, values }: GoldenCase): number[] {
  const bytes = Buffer.from(values, 'base64');
  return type === 'uint8' ? [...bytes] : Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

const cases = JSON.parse(await readFile(join(folder, 'golden.json'), 'utf8')) as GoldenCase[];

test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
  const found = await imageTensor(await readFile(join(folder, golden.file)), golden.preprocessing);
  const expected = valuesOf(golden);
  expect(found).toHaveLength(expected.length);
  const differences = expected.map((value, index) => Math.abs(value - (found[index] ?? Number.NaN)));
  const seen = { mean: differences.reduce((sum, value) => sum + value, 0) / differences.length, max: Math.max(...differences) };
  if (process.env['LABELSTREAM_TEST_SHOW'] !== undefined) console.log(`${golden.name}: mean ${seen.mean.toFixed(4)}, max ${seen.max.toFixed(4)}`);
  expect(seen.mean).toBeLessThanOrEqual(golden.tolerance.mean);
  expect(seen.max).toBeLessThanOrEqual(golden.tolerance.max);
});

const hasPillow = spawnSync(python, ['-c', 'import PIL, numpy'], { stdio: 'ignore' }).status === 0;

testWith({ 'Python with Pillow and numpy (LABELSTREAM_TEST_PYTHON)': hasPillow }, 'Pillow still gives the golden values', {}, () => {
  const again = JSON.parse(execFileSync(python, [script, 'values', folder], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })) as GoldenCase[];
  expect(again.map(({ name }) => name)).toEqual(cases.map(({ name }) => name));
  for (const [index, golden] of again.entries()) {
    const committed = cases[index];
    if (committed === undefined) throw new Error(golden.name);
    const expected = valuesOf(committed);
    // Another version of libjpeg or Pillow may round otherwise.
    expect(Math.max(...valuesOf(golden).map((value, at) => Math.abs(value - (expected[at] ?? Number.NaN)))), golden.name).toBeLessThanOrEqual(2);
  }
  return Promise.resolve();
});
