// Texts through all-MiniLM-L6-v2, held against the Rust tokenizers and onnxruntime for Python: scripts/models/tokenizer_golden.py made the golden file.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { csvRows, sampleModels, samples } from '../../examples/example.ts';
import { importTransformer } from '../../src/models/import-transformer.ts';
import { openInference } from '../../src/models/inference.ts';
import { createTokenIds } from '../../src/models/preprocessing/tokenizer.ts';
import { loadArtefacts } from '../../src/models/repository.ts';
import { temporaryDirectory } from '../models/model-directory.ts';
import { fileThere, testWith } from './required.ts';

const directory = join(sampleModels, 'all-MiniLM-L6-v2');
const banking = join(samples, 'text/banking77_train.csv');
const goldenPath = join(import.meta.dirname, 'minilm.golden.json');

type Golden = {
  readonly maxTokens: number;
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly vectors: readonly { readonly text: string; readonly vector: readonly number[] }[];
  readonly banking: { readonly texts: number; readonly sha256: string };
};

const readGolden = async (): Promise<Golden> => JSON.parse(await readFile(goldenPath, 'utf8')) as Golden;

async function tokenIds(maxTokens: number): Promise<(text: string) => number[]> {
  const names = ['tokenizer.json', 'tokenizer_config.json'];
  const files = new Map(await Promise.all(names.map(async (name) => [name, Uint8Array.from(await readFile(join(directory, name)))] as const)));
  return createTokenIds({ directory, files }, 'tokenizer.json', maxTokens);
}

testWith({ [directory]: fileThere(directory) }, 'texts get the ids that the Rust tokenizers give', { timeout: 30_000 }, async () => {
  const golden = await readGolden();
  const idsOf = await tokenIds(golden.maxTokens);
  expect(golden.texts.length).toBeGreaterThanOrEqual(500);
  for (const { text, ids } of golden.texts) {
    // Hugging Face makes two special tokens of a text of which nothing is left; here it is refused.
    expect(idsOf(text), JSON.stringify(text)).toEqual(ids.length === 2 ? [] : ids);
  }
});

testWith({ [directory]: fileThere(directory), [banking]: fileThere(banking) }, 'so do all questions of banking77', { timeout: 30_000 }, async () => {
  const golden = await readGolden();
  const idsOf = await tokenIds(golden.maxTokens);
  const rows = await csvRows(banking, true);
  const lines = rows.map(({ fields }) => idsOf(fields['text'] ?? '').join(' '));
  expect(lines.length).toBe(golden.banking.texts);
  expect(createHash('sha256').update(lines.join('\n')).digest('hex')).toBe(golden.banking.sha256);
});

testWith({ [directory]: fileThere(directory) }, 'it is imported with its proofs, and gives the vectors of onnxruntime for Python', { timeout: 600_000 }, async () => {
  const golden = await readGolden();
  const target = join(await temporaryDirectory(), 'minilm');
  const { manifest, report, notes } = await importTransformer({ from: directory, directory: target, licence: 'Apache-2.0' });
  expect(notes).toEqual([]);
  expect(report.checks.find(({ name }) => name === 'batch-invariance')?.detail).toMatch(/in batches of 1, 4 .*: equal to the last bit$/);
  expect(manifest).toMatchObject({ name: 'all-minilm-l6-v2', opset: 17, dequantise: true, reproducible: true, preprocessing: { maxTokens: 128 } });
  const inference = await openInference(await loadArtefacts(target));
  const outcomes = await inference.run(golden.vectors.map(({ text }) => ({ kind: 'text', text })));
  await inference.release();
  const cosines = golden.vectors.map(({ vector }, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined || 'failure' in outcome) return Number.NaN;
    const found = [...outcome.output];
    const norm = (numbers: readonly number[]): number => Math.hypot(...numbers);
    return found.reduce((total, value, position) => total + value * (vector[position] ?? 0), 0) / (norm(found) * norm(vector));
  });
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.99999);
});
