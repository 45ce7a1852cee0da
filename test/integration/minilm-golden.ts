/** What the Rust tokenizers and onnxruntime for Python make of texts with all-MiniLM-L6-v2: scripts/models/tokenizer_golden.py wrote it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openInference } from '../../src/models/inference.ts';
import { loadGraph, rowOf } from '../models/graph-models.ts';

export type Golden = {
  readonly maxTokens: number;
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly vectors: readonly { readonly text: string; readonly vector: readonly number[] }[];
  readonly banking: { readonly texts: number; readonly sha256: string };
};

export const readGolden = async (): Promise<Golden> => JSON.parse(await readFile(join(import.meta.dirname, 'minilm.golden.json'), 'utf8')) as Golden;

/** @param directory of the imported model. */
export async function expectGoldenVectors(directory: string): Promise<void> {
  const golden = await readGolden();
  const artefacts = await loadGraph(directory);
  expect(artefacts.manifest).toMatchObject({ name: 'all-minilm-l6-v2', opset: 17, dequantise: true, reproducible: true, preprocessing: { maxTokens: 128 } });
  const inference = await openInference(artefacts);
  const outcomes = await inference.run(golden.vectors.map(({ text }) => ({ kind: 'text', text })));
  await inference.release();
  const cosines = golden.vectors.map(({ vector }, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined || 'failure' in outcome) return Number.NaN;
    const found = [...rowOf(outcome)];
    const norm = (numbers: readonly number[]): number => Math.hypot(...numbers);
    return found.reduce((total, value, position) => total + value * (vector[position] ?? 0), 0) / (norm(found) * norm(vector));
  });
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.99999);
}
