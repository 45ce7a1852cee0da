/**
 * Makes the manifest of a graph that is imported. Its known answers are what the model itself gives, and the proofs of `models verify` decide in which batches
 * it may run and whether it may be called reproducible.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabelstreamError } from '../core/errors/error.ts';
import { modelError } from '../core/errors/model.ts';
import type { ItemOutcome } from './inference.ts';
import { knownInputs } from './known-answers.ts';
import { outputWidth, parseManifest, type GraphManifest, type Manifest } from './manifest.ts';
import { knownBoxes, surestBoxesConfig } from './known-boxes.ts';
import { madeInPlace, type DraftFile, type ManifestFiles, type WriteOptions } from './model-place.ts';
import type { ModelAnswer } from './model-port.ts';
import { loadArtefacts, manifestName } from './repository.ts';
import { verifyModel, type VerifyReport } from './verify.ts';
import { inferenceWorkerEntry, startInferenceWorker } from './worker-handle.ts';
import { unpackOutcomes } from './worker-protocol.ts';

export type KnownInput = GraphManifest['knownAnswers'][number]['input'];

export type ModelDraft = {
  /** All that is decided before the model runs. */
  readonly manifest: Omit<GraphManifest, 'kind' | 'files' | 'knownAnswers' | 'reproducible'>;
  readonly files: readonly DraftFile[];
  readonly knownInputs: readonly KnownInput[];
  /** Of a known answer: this share of its largest magnitude, of boxes of their largest score. */
  readonly toleranceShare: number;
  /** Whether somebody asked for these batch sizes. Otherwise all but the smallest are given up where the model depends on its batch. */
  readonly keepsBatchSizes: boolean;
};

export type WrittenModel<Written extends Manifest = GraphManifest> = {
  readonly directory: string;
  readonly manifest: Written;
  readonly report: VerifyReport;
  /** What was decided otherwise than drafted, in sentences. */
  readonly notes: readonly string[];
};

/**
 * Rejects with LS_MODEL_IMPORT (the directory is there, the model fails its own proofs), LS_MODEL_MANIFEST (the draft is no manifest; the message
 * lists every mistake) and the errors of a load; nothing is left behind then, but a replaced directory that cannot be put back, which the message names.
 */
export async function writeModelDirectory(directory: string, draft: ModelDraft, options: WriteOptions = {}): Promise<WrittenModel> {
  const { target, proved, left } = await madeInPlace(directory, draft.files, options, (beside, files) => prove(beside, draft, files, options.signal));
  return { directory: target, ...proved, report: { ...proved.report, directory: target }, notes: [...proved.notes, ...left] };
}

type Proved = Pick<WrittenModel, 'manifest' | 'report' | 'notes'>;

/** The strongest claim that the model can prove: all sizes and reproducible, one size and reproducible, not reproducible. */
async function prove(directory: string, draft: ModelDraft, files: ManifestFiles, signal: AbortSignal | undefined): Promise<Proved> {
  const { batchSizes } = draft.manifest.executedShapes;
  const smallest = batchSizes.slice(0, 1);
  const claims = [
    { batchSizes, reproducible: true, note: '' },
    ...(batchSizes.length > 1 && !draft.keepsBatchSizes
      ? [{ batchSizes: smallest, reproducible: true, note: `it is run in batches of ${smallest.join()} only` }]
      : []),
    { batchSizes: draft.keepsBatchSizes ? batchSizes : smallest, reproducible: false, note: 'reproducible: false' },
  ];
  const notes: string[] = [];
  let failure: unknown;
  for (const claim of claims) {
    signal?.throwIfAborted();
    const outcome = await tried(directory, draft, files, claim, signal);
    if ('manifest' in outcome && outcome.report.ok) return { ...outcome, notes: claim.note === '' ? [] : [...notes, claim.note] };
    const seen = 'manifest' in outcome ? failedChecks(outcome.report) : messageOf(outcome.error);
    notes.push(`in batches of ${claim.batchSizes.join(', ')}: ${seen}`);
    failure = 'manifest' in outcome ? undefined : outcome.error;
  }
  if (failure instanceof LabelstreamError) throw failure;
  throw modelError('LS_MODEL_IMPORT', `the model ${draft.manifest.name} fails its own proofs: ${notes.at(-1) ?? ''}`, { model: draft.manifest.name });
}

type Claim = { readonly batchSizes: readonly number[]; readonly reproducible: boolean };

async function tried(directory: string, draft: ModelDraft, files: ManifestFiles, claim: Claim, signal: AbortSignal | undefined): Promise<Pick<Proved, 'manifest' | 'report'> | { readonly error: unknown }> {
  try {
    const manifest = await withAnswers(directory, draft, files, claim, signal);
    return { manifest, report: await verifyModel(directory, { signal }) };
  } catch (error) {
    signal?.throwIfAborted();
    // Fewer rows in a batch help no item that takes for ever.
    if (!(error instanceof LabelstreamError) || error.code === 'LS_MODEL_RUN_TIME') throw error;
    return { error };
  }
}

/** Writes the manifest without answers, asks the model, and writes the manifest with what it gave. */
async function withAnswers(directory: string, draft: ModelDraft, files: ManifestFiles, { batchSizes, reproducible }: Claim, signal: AbortSignal | undefined): Promise<GraphManifest> {
  const write = (knownAnswers: KnownAnswer[]): Promise<GraphManifest> =>
    writeManifest(directory, {
      kind: 'graph',
      ...draft.manifest,
      files,
      executedShapes: { ...draft.manifest.executedShapes, batchSizes: [...batchSizes] },
      reproducible,
      knownAnswers,
    });
  const questions = draft.knownInputs.map((input) => questionOf(input, outputWidth(draft.manifest)));
  await write(questions);
  const given = await answersOf(directory, batchSizes, signal);
  return write(draft.knownInputs.map((input, index) => knownAnswerOf(input, given[index] ?? [], draft)));
}

type KnownAnswer = GraphManifest['knownAnswers'][number];

/** @param width Undefined: of a detector. */
function questionOf(input: KnownInput, width: number | undefined): KnownAnswer {
  if (width !== undefined) return { input, output: Array.from({ length: width }, () => 0), tolerance: 0 };
  return { input: { ...input, ...(input.kind === 'image' ? { config: surestBoxesConfig } : {}) }, output: { kind: 'detections', boxes: [], labels: [], scores: [] }, tolerance: 0 };
}

function knownAnswerOf(input: KnownInput, given: KnownAnswer['output'], { toleranceShare, manifest: { postprocessing: after } }: ModelDraft): KnownAnswer {
  if (!('kind' in given)) return { input, output: given, tolerance: toleranceOf(given, toleranceShare) };
  const tolerance = toleranceOf(given.scores, toleranceShare);
  const { threshold, output } = knownBoxes(given, { tolerance, boxesMax: after.kind === 'boxes' ? after.boxesMax : undefined });
  return { input: { ...input, ...(input.kind === 'image' ? { config: { threshold } } : {}) }, output, tolerance };
}

/** Rejects with LS_MODEL_MANIFEST. */
export async function writeManifest<Written extends Manifest>(directory: string, manifest: Written): Promise<Written> {
  const path = join(directory, manifestName);
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  parseManifest(text, manifestName);
  await writeFile(path, text);
  return manifest;
}

/** What the model gives for each known input, alone in a batch of the first size. */
async function answersOf(directory: string, [batchSize = 1]: readonly number[], signal: AbortSignal | undefined): Promise<KnownAnswer['output'][]> {
  const outcomes = await knownOutcomes(directory, batchSize, signal);
  return outcomes.map((outcome) => ('output' in outcome ? Array.from(outcome.output, shortest) : detectionsIn(outcome.answer)));
}

/** What the model in the directory gives for each of its known inputs. Rejects with LS_MODEL_IMPORT where it fails on one. */
export async function knownOutcomes(directory: string, batchSize: number, signal: AbortSignal | undefined): Promise<Exclude<ItemOutcome, { failure: unknown }>[]> {
  const artefacts = await loadArtefacts(directory);
  const model = artefacts.manifest.name;
  const worker = await startInferenceWorker({ models: [{ name: model, artefacts }], testKnownAnswers: false }, inferenceWorkerEntry, signal);
  try {
    const outcomes: Exclude<ItemOutcome, { failure: unknown }>[] = [];
    for (const input of knownInputs(artefacts)) {
      const [outcome] = unpackOutcomes(await worker.run({ model, inputs: [input], batchSizes: [batchSize] }));
      if (outcome === undefined || 'failure' in outcome) {
        const seen = outcome === undefined ? 'no result' : `${outcome.failure.code}: ${outcome.failure.message}`;
        throw modelError('LS_MODEL_IMPORT', `the model ${model} gives no answer to known input ${outcomes.length}: ${seen}`, { model });
      }
      outcomes.push(outcome);
    }
    return outcomes;
  } finally {
    await worker.close();
  }
}

function detectionsIn(answer: ModelAnswer): KnownAnswer['output'] {
  if (answer.kind !== 'detections') throw new TypeError(`a graph gives no ${answer.kind}`);
  const { kind, boxes, labels, scores } = answer;
  return { kind, boxes: boxes.map((box) => [...box]), labels: [...labels], scores: scores.map((score) => Number(score.toPrecision(9))) };
}

/** The shortest decimal number that is the same float32: nine digits always suffice. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** One digit: a tolerance is no measurement. */
function toleranceOf(output: readonly number[], share: number): number {
  const largest = output.reduce((found, value) => Math.max(found, Math.abs(value)), 0);
  return Number((largest * share).toPrecision(1));
}

export function failedChecks({ checks }: VerifyReport): string {
  return checks.flatMap(({ name, ok, detail }) => (ok ? [] : [`${name}: ${detail}`])).join('; ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
