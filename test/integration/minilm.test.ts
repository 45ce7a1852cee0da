// The tokens of all-MiniLM-L6-v2, held against the Rust tokenizers; its vectors are compared where the tutorial imports it (tutorials.test.ts).
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { csvRows, sampleModels, samples } from '../../examples/example.ts';
import { createTokenIds } from '../../src/models/preprocessing/tokenizer.ts';
import { readGolden } from './minilm-golden.ts';
import { fileThere, testWith } from '../requirements.ts';

const directory = join(sampleModels, 'all-MiniLM-L6-v2');
const banking = join(samples, 'text/banking77_train.csv');

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
