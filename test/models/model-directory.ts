/** Model directories for the tests, made in a temporary folder from the hand-written models. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/core/clock.ts';
import { openInference } from '../../src/models/inference.ts';
import { knownInputs } from '../../src/models/known-answers.ts';
import { loadGraph } from './graph-models.ts';
import { encoderDimensions, textEncoder, valuesClassifier } from './onnx-fixtures.ts';

export const testClock: Clock = {
  nowMs: () => {
    throw new RangeError('what time it is may jump: nothing here may depend on it');
  },
  elapsedMs: () => performance.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, durationMs);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** As testClock, but for what is done between `halt` and `goOn`, which takes no time, however slow the machine is. */
export function haltingClock(): { readonly clock: Clock; readonly halt: () => void; readonly goOn: () => void } {
  let haltedAtMs: number | undefined;
  return {
    clock: { ...testClock, elapsedMs: () => haltedAtMs ?? testClock.elapsedMs() },
    halt: () => {
      haltedAtMs = testClock.elapsedMs();
    },
    goOn: () => {
      haltedAtMs = undefined;
    },
  };
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-models-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

type Json = Record<string, unknown>;

/** What the manifests of the tests have in common. */
export const commonManifest = {
  version: '1.0.0',
  licence: 'MIT',
  source: 'written by the tests',
  model: 'model.onnx',
  opset: 17,
  reproducible: true,
} as const;

export const encoderManifest: Json = {
  ...commonManifest,
  name: 'test-encoder',
  task: 'text-features',
  preprocessing: {
    kind: 'hashed-subwords',
    wordBuckets: 256,
    ngramBuckets: 256,
    ngramLengthMin: 3,
    ngramLengthMax: 4,
    maxWordLength: 20,
    maxCharacters: 2_000,
    maxTokens: 128,
  },
  postprocessing: { kind: 'vector', output: 'embedding', dimensions: encoderDimensions },
  executedShapes: { batchSizes: [1, 4], lengths: [16, 64, 128] },
  knownAnswers: [
    { input: { kind: 'text', text: 'a short text' }, output: [], tolerance: 1e-6 },
    { input: { kind: 'text', text: 'a longer text that needs more room than the first one did, said nobody ever' }, output: [], tolerance: 1e-6 },
  ],
};

export const classifierManifest: Json = {
  ...commonManifest,
  name: 'test-classifier',
  task: 'record-prediction',
  preprocessing: { kind: 'values', input: 'values', fields: ['a', 'b', 'c', 'd'] },
  postprocessing: { kind: 'scores', output: 'probabilities' },
  labels: ['red', 'green', 'blue'],
  executedShapes: { batchSizes: [1, 4] },
  knownAnswers: [
    { input: { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, output: [], tolerance: 1e-6 },
    { input: { kind: 'values', values: { a: 0.5, b: 0.25, c: 2, d: 1 } }, output: [], tolerance: 1e-6 },
  ],
};

export type ModelFiles = Readonly<Record<string, Uint8Array>>;

/** Writes the files and the manifest that lists them (and `overrides`, which may replace the list). */
export async function writeModel(directory: string, manifest: Json, files: ModelFiles): Promise<string> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  const listed = Object.entries(files).map(([path, bytes]) => ({ path, sha256: sha256(bytes), sizeBytes: bytes.length }));
  await writeFile(join(directory, 'manifest.json'), JSON.stringify({ files: listed, ...manifest }));
  return directory;
}

/**
 * As writeModel, and fills in each known answer with no output: what the model gives when it is run alone, at the first batch size. Where
 * the model fails on it, the output stays as many zeros as the manifest demands.
 */
export async function writeModelWithAnswers(directory: string, manifest: Json, files: ModelFiles, width: number): Promise<string> {
  const answers = manifest['knownAnswers'] as { input: unknown; output: number[]; tolerance: number }[];
  const zeros = answers.map((answer) => ({ ...answer, output: Array.from({ length: width }, () => 0) }));
  await writeModel(directory, { ...manifest, knownAnswers: zeros }, files);
  const artefacts = await loadGraph(directory);
  const inference = await openInference(artefacts);
  const [first] = artefacts.manifest.executedShapes.batchSizes;
  const inputs = knownInputs(artefacts);
  const filled = [];
  for (const [index, answer] of zeros.entries()) {
    const [outcome] = await inference.run(inputs.slice(index, index + 1), [first ?? 1]);
    filled.push(outcome !== undefined && 'output' in outcome ? { ...answer, output: [...outcome.output] } : answer);
  }
  await inference.release();
  return writeModel(directory, { ...manifest, knownAnswers: filled }, files);
}

export async function encoderDirectory(overrides: Json = {}, model = textEncoder()): Promise<string> {
  return writeModelWithAnswers(await temporaryDirectory(), { ...encoderManifest, ...overrides }, { 'model.onnx': model }, encoderDimensions);
}

export async function classifierDirectory(overrides: Json = {}, model = valuesClassifier()): Promise<string> {
  return writeModelWithAnswers(await temporaryDirectory(), { ...classifierManifest, ...overrides }, { 'model.onnx': model }, 3);
}

/** Throws unless the promise rejects with this code; gives the message. */
export async function rejectedMessage(promise: Promise<unknown>, code: string): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === code) return error.message;
    throw error;
  }
  throw new Error(`resolved instead of rejecting with ${code}`);
}
