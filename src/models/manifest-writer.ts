/**
 * Makes the directory of a model that is imported. Everything is written beside its place first: the files, then a manifest whose known answers the
 * model itself gives, then the proofs of `models verify`, which decide in which batches it may run and whether it may be called reproducible. Only
 * what passed is moved to its place, in one step; otherwise nothing new is left behind. A directory that is replaced is set aside first, as
 * `.NAME.import-XXXXXX.old`: whoever kills the program between the two steps finds it there, whole, and the next import tells of it. It also stays
 * there, and the error names it, where another program fills the place between the two steps.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { LabelstreamError } from '../core/errors/error.ts';
import { modelError } from '../core/errors/model.ts';
import { knownInputs } from './known-answers.ts';
import { outputWidth, parseManifest, type GraphManifest } from './manifest.ts';
import { loadArtefacts, manifestName } from './repository.ts';
import { verifyModel, type VerifyReport } from './verify.ts';
import { inferenceWorkerEntry, startInferenceWorker } from './worker-handle.ts';
import { unpackOutcomes } from './worker-protocol.ts';

export type KnownInput = GraphManifest['knownAnswers'][number]['input'];

/** Paths are those of the manifest: relative, with forward slashes. */
export type DraftFile = { readonly path: string; readonly content: { readonly bytes: Uint8Array } | { readonly copyOf: string } };

export type ModelDraft = {
  /** All that is decided before the model runs. */
  readonly manifest: Omit<GraphManifest, 'kind' | 'files' | 'knownAnswers' | 'reproducible'>;
  readonly files: readonly DraftFile[];
  readonly knownInputs: readonly KnownInput[];
  /** Of a known answer: this share of its largest magnitude. */
  readonly toleranceShare: number;
  /** Whether somebody asked for these batch sizes. Otherwise all but the smallest are given up where the model depends on its batch. */
  readonly keepsBatchSizes: boolean;
};

export type WriteOptions = {
  /** Replace a directory that is there. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
};

export type WrittenModel = {
  readonly directory: string;
  readonly manifest: GraphManifest;
  readonly report: VerifyReport;
  /** What was decided otherwise than drafted, in sentences. */
  readonly notes: readonly string[];
};

/**
 * Rejects with LS_MODEL_IMPORT (the directory is there, the model fails its own proofs), LS_MODEL_MANIFEST (the draft is no manifest; the message
 * lists every mistake) and the errors of a load; nothing is left behind then, but a replaced directory that cannot be put back, which the message names.
 */
export async function writeModelDirectory(directory: string, draft: ModelDraft, { force = false, signal }: WriteOptions = {}): Promise<WrittenModel> {
  const target = resolve(directory);
  await refuseUnlessFree(target, force);
  const { made, beside } = await makeBeside(target);
  let done = false;
  try {
    const files = [];
    for (const file of draft.files) files.push(await placed(beside, file));
    const proved = await prove(beside, draft, files, signal);
    signal?.throwIfAborted();
    await moveInto(target, beside, force);
    done = true;
    return { directory: target, ...proved, report: { ...proved.report, directory: target }, notes: [...proved.notes, ...(await leftByOthers(target))] };
  } finally {
    await rm(beside, { recursive: true, force: true });
    if (!done && made !== undefined) await removeEmpty(dirname(target), made);
  }
}

const besidePrefix = (target: string): string => `.${basename(target)}.import-`;

type Beside = { /** The topmost directory that had to be made for it. */ readonly made: string | undefined; readonly beside: string };

/** Another import below the same new directories may fail, and remove them while they are empty. */
async function makeBeside(target: string): Promise<Beside> {
  const parent = dirname(target);
  for (let attempt = 1; ; attempt += 1) {
    const made = await mkdir(parent, { recursive: true });
    try {
      return { made, beside: await mkdtemp(join(parent, besidePrefix(target))) };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

/** From `directory` up to `made`, as long as nothing lies in it: what others put there meanwhile is theirs. */
async function removeEmpty(directory: string, made: string): Promise<void> {
  for (let path = directory; path.length >= made.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
  }
}

/** Sentences about what imports to the same place left beside it, which somebody killed. */
async function leftByOthers(target: string): Promise<string[]> {
  const names = await readdir(dirname(target));
  return names
    .filter((name) => name.startsWith(besidePrefix(target)))
    .map((name) => `${join(dirname(target), name)} is ${name.endsWith('.old') ? 'what an earlier import set aside' : 'of another import'}: remove it if none runs`);
}

/** An empty directory is free. Rejects with LS_MODEL_IMPORT. */
async function refuseUnlessFree(target: string, force: boolean): Promise<void> {
  let entries: readonly string[];
  try {
    entries = await readdir(target);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw modelError('LS_MODEL_IMPORT', `${target} is no directory that can be written: ${messageOf(error)}`, { directory: target }, { cause: error });
  }
  if (entries.length === 0) return;
  if (!force) throw modelError('LS_MODEL_IMPORT', `${target} is there already; --force replaces it`, { directory: target });
  // What --force removes was a model's directory, not somebody's home.
  if (!entries.includes(manifestName)) {
    throw modelError('LS_MODEL_IMPORT', `${target} is there and no directory of a model: it has no ${manifestName}`, { directory: target });
  }
}

async function placed(directory: string, { path, content }: DraftFile): Promise<GraphManifest['files'][number]> {
  const target = join(directory, path);
  await mkdir(dirname(target), { recursive: true });
  if ('bytes' in content) await writeFile(target, content.bytes);
  else await copyFile(content.copyOf, target);
  // Of what lies there now: that is what will be read.
  const bytes = await readFile(target);
  return { path: posix.normalize(path), sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
}

type Proved = Pick<WrittenModel, 'manifest' | 'report' | 'notes'>;

/** The strongest claim that the model can prove: all sizes and reproducible, one size and reproducible, not reproducible. */
async function prove(directory: string, draft: ModelDraft, files: GraphManifest['files'], signal: AbortSignal | undefined): Promise<Proved> {
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

async function tried(directory: string, draft: ModelDraft, files: GraphManifest['files'], claim: Claim, signal: AbortSignal | undefined): Promise<Pick<Proved, 'manifest' | 'report'> | { readonly error: unknown }> {
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

/** Writes the manifest with zeros for answers, asks the model, and writes the manifest with what it gave. */
async function withAnswers(directory: string, draft: ModelDraft, files: GraphManifest['files'], { batchSizes, reproducible }: Claim, signal: AbortSignal | undefined): Promise<GraphManifest> {
  const width = outputWidth(draft.manifest);
  const write = (outputs: readonly (readonly number[])[]): Promise<GraphManifest> =>
    writeManifest(directory, {
      kind: 'graph',
      ...draft.manifest,
      files,
      executedShapes: { ...draft.manifest.executedShapes, batchSizes: [...batchSizes] },
      reproducible,
      knownAnswers: draft.knownInputs.map((input, index) => {
        const output = [...(outputs[index] ?? [])];
        return { input, output, tolerance: toleranceOf(output, draft.toleranceShare) };
      }),
    });
  await write(draft.knownInputs.map(() => Array.from({ length: width }, () => 0)));
  return write(await answersOf(directory, batchSizes, signal));
}

async function writeManifest(directory: string, manifest: GraphManifest): Promise<GraphManifest> {
  const path = join(directory, manifestName);
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  parseManifest(text, manifestName);
  await writeFile(path, text);
  return manifest;
}

/** What the model gives for each known input, alone in a batch of the first size. */
async function answersOf(directory: string, [batchSize = 1]: readonly number[], signal: AbortSignal | undefined): Promise<number[][]> {
  const artefacts = await loadArtefacts(directory);
  const model = artefacts.manifest.name;
  const worker = await startInferenceWorker({ models: [{ name: model, artefacts }], testKnownAnswers: false }, inferenceWorkerEntry, signal);
  try {
    const answers: number[][] = [];
    for (const input of knownInputs(artefacts)) {
      const [outcome] = unpackOutcomes(await worker.run({ model, inputs: [input], batchSizes: [batchSize] }));
      if (outcome === undefined || 'failure' in outcome) {
        const seen = outcome === undefined ? 'no result' : `${outcome.failure.code}: ${outcome.failure.message}`;
        throw modelError('LS_MODEL_IMPORT', `the model ${model} gives no answer to known input ${answers.length}: ${seen}`, { model });
      }
      answers.push('output' in outcome ? Array.from(outcome.output, shortest) : []);
    }
    return answers;
  } finally {
    await worker.close();
  }
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

function failedChecks({ checks }: VerifyReport): string {
  return checks.flatMap(({ name, ok, detail }) => (ok ? [] : [`${name}: ${detail}`])).join('; ');
}

/** Rejects with LS_MODEL_IMPORT where another program was faster, and names what was set aside where that cannot be put back. */
async function moveInto(target: string, beside: string, force: boolean): Promise<void> {
  const aside = `${beside}.old`;
  const wasThere = force && (await renamedIfThere(target, aside));
  try {
    // An empty directory is replaced, any other is not.
    await rename(beside, target);
  } catch (error) {
    const isKept = wasThere && !(await putBack(aside, target));
    const kept = isKept ? `; the model that was there is now ${aside}` : '';
    if (isFilled(error)) throw modelError('LS_MODEL_IMPORT', `${target} was filled by another program meanwhile${kept}`, { directory: target }, { cause: error });
    if (isKept) throw modelError('LS_MODEL_IMPORT', `${beside} cannot be moved to ${target}: ${messageOf(error)}${kept}`, { directory: target }, { cause: error });
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** False where its place is not free any more: nothing of others is overwritten, and what was set aside stays there. */
async function putBack(aside: string, target: string): Promise<boolean> {
  try {
    await rename(aside, target);
    return true;
  } catch {
    return false;
  }
}

async function renamedIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function isFilled(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(String(codeOf(error)));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
