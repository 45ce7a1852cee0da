/**
 * What `labelstream models verify` does with a model: prove its files, load it, ask for its known answers, and prove that no item's result
 * depends on its neighbours (SEMANTICS.md, rule 6), by running the same items alone, in shuffled batches of every allowed size, and beside
 * the longest neighbours there are.
 */
import { basename } from 'node:path';
import { counted } from '../core/counted.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { Random } from '../core/clock.ts';
import type { ItemOutcome } from './inference.ts';
import { knownAnswerMistakes, sameOutcome } from './known-answers.ts';
import { batchSizesOf, tasksOf, type Manifest } from './manifest.ts';
import type { ModelInput } from './model-port.ts';
import type { PluginUrls } from './plugins/plugin-urls.ts';
import { probeInputs } from './probe-inputs.ts';
import { loadArtefacts, readManifest, type ModelArtefacts } from './repository.ts';
import { seededRandom, shuffled } from '../core/seeded-random.ts';
import { inferenceWorkerEntry, startInferenceWorker, type InferenceWorker } from './worker-handle.ts';
import { unpackOutcomes } from './worker-protocol.ts';

type VerifyCheck = {
  readonly name: 'manifest' | 'files' | 'load' | 'known-answers' | 'batch-invariance';
  readonly ok: boolean;
  /** What was seen, or what is wrong, with the code of the error. */
  readonly detail: string;
};

export type VerifyReport = {
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  /**
   * Every check passed. A model that says `reproducible: false` of itself may fail `batch-invariance`; then only the check tells.
   */
  readonly ok: boolean;
  readonly checks: readonly VerifyCheck[];
};

export type VerifyOptions = {
  /** Of the items that are made up and of their order; the report names it. */
  readonly seed?: number;
  /** How often all items are shuffled for each batch size. */
  readonly rounds?: number;
  /** Those that models of their own kind may need. */
  readonly plugins?: PluginUrls;
  /** The last check that is made; without it all are. */
  readonly depth?: 'known-answers' | 'batch-invariance';
  readonly signal?: AbortSignal | undefined;
};

const model = 'model';

/** Never rejects because of the model, whatever is wrong with it is in the report; only with the reason of the signal. */
export async function verifyModel(directory: string, { seed = 1, rounds = 4, depth = 'batch-invariance', plugins = new Map(), signal }: VerifyOptions = {}): Promise<VerifyReport> {
  const checks: VerifyCheck[] = [];
  let manifest: Manifest | undefined;
  /** False where the check failed: then what rests on it is not tried. */
  const check = async (name: VerifyCheck['name'], prove: () => Promise<{ ok: boolean; detail: string }>): Promise<boolean> => {
    let result: { ok: boolean; detail: string };
    try {
      result = await prove();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof LabelstreamError)) throw error;
      // In one line, as a table has it.
      result = { ok: false, detail: `${error.code}: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}` };
    }
    checks.push({ name, ...result });
    return result.ok;
  };
  const isReadable = await check('manifest', async () => {
    manifest = await readManifest(directory);
    return { ok: true, detail: `${manifest.name} ${manifest.version}, ${tasksOf(manifest).join(', ')}, licence: ${manifest.licence}` };
  });
  if (isReadable) await verifyBehind(directory, check, seededRandom(seed), { seed, rounds, depth, plugins, signal });
  const isExcused = ({ name }: VerifyCheck): boolean => name === 'batch-invariance' && manifest?.reproducible === false;
  return {
    name: manifest?.name ?? basename(directory),
    version: manifest?.version ?? '',
    directory,
    ok: checks.every((done) => done.ok || isExcused(done)),
    checks,
  };
}

type Check = (name: VerifyCheck['name'], prove: () => Promise<{ ok: boolean; detail: string }>) => Promise<boolean>;

/** The checks behind the manifest. */
async function verifyBehind(directory: string, check: Check, random: Random, options: Required<VerifyOptions>): Promise<void> {
  let artefacts: ModelArtefacts | undefined;
  let worker: InferenceWorker | undefined;
  await check('files', async () => {
    artefacts = await loadArtefacts(directory);
    const { files } = artefacts.manifest;
    const bytes = files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
    return { ok: true, detail: `${counted(files.length, 'file')}, ${bytes} bytes, every SHA-256 as listed` };
  });
  if (artefacts === undefined) return;
  const loaded = artefacts;
  await check('load', async () => {
    worker = await startInferenceWorker({ models: [{ name: model, artefacts: loaded }], plugins: options.plugins, testKnownAnswers: false }, inferenceWorkerEntry, options.signal);
    return { ok: true, detail: loadedAs(loaded) };
  });
  if (worker === undefined) return;
  const run = runnerOf(worker);
  try {
    await check('known-answers', () => proveKnownAnswers(loaded, run));
    if (options.depth === 'batch-invariance') await check('batch-invariance', () => proveBatchInvariance(loaded, run, random, options));
  } finally {
    await worker.close();
  }
}

function loadedAs(artefacts: ModelArtefacts): string {
  switch (artefacts.kind) {
    case 'graph':
      return `loaded, opset ${artefacts.manifest.opset}`;
    case 'transformers':
      return `loaded, ${artefacts.graphs.size} graphs of the architecture ${artefacts.manifest.architecture}`;
    case 'plugin':
      return `loaded, ${artefacts.manifest.opens} of the plugin ${artefacts.manifest.plugin}`;
  }
}

type Run = (inputs: readonly ModelInput[], batchSize: number) => Promise<ItemOutcome[]>;

function runnerOf(worker: InferenceWorker): Run {
  return async (inputs, batchSize) => unpackOutcomes(await worker.run({ model, inputs, batchSizes: [batchSize] }));
}

async function proveKnownAnswers(artefacts: ModelArtefacts, run: Run): Promise<{ ok: boolean; detail: string }> {
  const mistakes = await knownAnswerMistakes(artefacts, run);
  const { manifest } = artefacts;
  const seen = `${counted(manifest.knownAnswers.length, 'known answer')} in batches of ${batchSizesOf(manifest).join(', ')}`;
  return { ok: mistakes.length === 0, detail: mistakes.length === 0 ? seen : mistakes.join('; ') };
}

type Comparison = { compared: number; different: number; example: string };

async function proveBatchInvariance(
  artefacts: ModelArtefacts,
  run: Run,
  random: Random,
  { seed, rounds }: Pick<Required<VerifyOptions>, 'seed' | 'rounds'>,
): Promise<{ ok: boolean; detail: string }> {
  const batchSizes = batchSizesOf(artefacts.manifest);
  const inputs = await probeInputs(artefacts, random);
  const alone: ItemOutcome[] = [];
  for (const input of inputs) alone.push(...(await run([input], batchSizes[0])));
  const comparison: Comparison = { compared: 0, different: 0, example: '' };
  const compare = async (order: readonly number[], batchSize: number, how: string): Promise<void> => {
    const outcomes = await run(order.flatMap((index) => inputs[index] ?? []), batchSize);
    for (const [position, index] of order.entries()) {
      const [reference, outcome] = [alone[index], outcomes[position]];
      comparison.compared += 1;
      if (reference !== undefined && outcome !== undefined && sameOutcome(reference, outcome)) continue;
      comparison.different += 1;
      comparison.example ||= `item ${index} ${how} of ${batchSize}`;
    }
  };
  const longest = longestOf(inputs);
  for (const batchSize of batchSizes) {
    // Alone in every size: nothing but padding beside it.
    for (const index of inputs.keys()) await compare([index], batchSize, 'alone in a batch');
    for (let round = 0; round < rounds; round += 1) await compare(shuffled([...inputs.keys()], random), batchSize, 'in a shuffled batch');
    for (const order of besideLongest(inputs.length, longest, batchSize)) await compare(order, batchSize, 'beside the longest items in a batch');
  }
  const failing = alone.filter((outcome) => 'failure' in outcome).length;
  const seen = `${counted(comparison.compared, 'result')} of ${counted(inputs.length, 'item')} in batches of ${batchSizes.join(', ')} (seed ${seed})`;
  if (failing === inputs.length) return { ok: false, detail: 'the model failed on every item' };
  if (comparison.different === 0) return { ok: true, detail: `${seen}: equal to the last bit` };
  return { ok: false, detail: `${comparison.different} of ${seen} differ, first ${comparison.example}` };
}

/** A quarter of the items: the longest texts, or the values of the largest magnitude. */
function longestOf(inputs: readonly ModelInput[]): number[] {
  const extent = (input: ModelInput | undefined): number => {
    if (input === undefined) return 0;
    if (input.kind === 'image' || input.kind === 'audio') return input.bytes.length;
    return input.kind === 'text' ? input.text.length : Math.max(0, ...Object.values(input.values).map(Math.abs));
  };
  const order = [...inputs.keys()].sort((left, right) => extent(inputs[right]) - extent(inputs[left]));
  return order.slice(0, Math.ceil(inputs.length / 4));
}

/** Batches that bring each item together with the longest ones, which fill at least half of each; none where there are no neighbours. */
function besideLongest(count: number, longest: readonly number[], batchSize: number): number[][] {
  const guests = Math.floor(batchSize / 2);
  if (guests === 0) return [];
  return Array.from({ length: Math.ceil(count / guests) }, (_, batch) => {
    const items = Array.from({ length: Math.min(guests, count - batch * guests) }, (_, guest) => batch * guests + guest);
    const neighbours = Array.from({ length: batchSize - items.length }, (_, position) => longest[position % longest.length] ?? 0);
    return [...neighbours, ...items];
  });
}
