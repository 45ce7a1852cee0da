/** What `models bench` measures and tells. */
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import { seededRandom } from '../core/seeded-random.ts';
import { benchModel, type BenchCase } from '../models/bench.ts';
import { defaultWorkerCount, usableCores } from '../models/cpu-limit.ts';
import { knownInputs } from '../models/known-answers.ts';
import { batchSizesOf, inputKindOf } from '../models/manifest.ts';
import type { ModelInput } from '../models/model-port.ts';
import { probeInputs } from '../models/probe-inputs.ts';
import { loadArtefacts, type ModelArtefacts } from '../models/repository.ts';
import { systemClock } from '../pipeline/system-clock.ts';
import { outputOf, type CommandLine } from './context.ts';
import { asFailure, modelNamed, namedModels } from './model-choice.ts';
import type { ModelOptions } from './model-options.ts';
import { tableText } from './output.ts';
import { sizeText } from './size-text.ts';
import { taskItems } from './task/task-files.ts';

export type BenchCommandOptions = ModelOptions & {
  readonly input: readonly string[];
  readonly seconds: number;
  readonly workers?: readonly number[];
  readonly batchSizes?: readonly number[];
  readonly json?: boolean;
};

const inputBytesMax = 256 * 1024 * 1024;
const seed = 1;

/** Rejects with LS_CLI_*. */
export async function tellBench(name: string, options: BenchCommandOptions, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  const named = await namedModels(options, commandLine);
  const { directory, executionProviders } = await modelNamed(name, named);
  const artefacts = await loadArtefacts(directory).catch(asFailure);
  const inputs = await inputsOf(artefacts, options.input);
  const cores = await usableCores();
  const workerCounts = options.workers ?? [...new Set([1, named.configuration?.inference.workerCount ?? (await defaultWorkerCount())])];
  const cases: BenchCase[] = [];
  const preprocessing = named.configuration === undefined ? undefined : { imagePixelsMax: named.configuration.inference.imagePixelsMax };
  const asked = { executionProviders, preprocessing, inputs, workerCounts, batchSizes: sizesOf(artefacts, options.batchSizes), durationMsMin: 1_000 * options.seconds };
  for await (const measured of benchModel(artefacts, { ...asked, plugins: named.extensions.pluginUrls, clock: systemClock, residentBytes: () => process.memoryUsage.rss(), signal: commandLine.signal })) {
    cases.push(measured);
    if (output.terminal) output.note(`${counted(measured.workerCount, 'worker')}, batches of ${measured.batchSize}: ${measured.itemsPerSecond.toFixed(1)} items/s`);
  }
  const { name: model, version } = artefacts.manifest;
  if (output.json) output.object({ model, version, directory, cores, inputs: inputs.length, given: options.input.length > 0 ? 'files' : `made up (seed ${seed})`, seconds: options.seconds, cases });
  else {
    output.line(`${model} ${version} on ${counted(cores, 'core')}, ${counted(inputs.length, 'input')}`);
    output.lines(casesTable(cases));
  }
  const [failed, items] = [sum(cases, ({ failedItems }) => failedItems), sum(cases, (measured) => measured.items)];
  if (failed > 0) output.note(`${failed} of ${counted(items, 'item')} failed: their time counts all the same`);
  if (failed === items) throw cliError('LS_CLI_MODEL_UNFIT', `${model} failed on everything`);
}

function casesTable(cases: readonly BenchCase[]): string {
  const rows = cases.map(({ workerCount, batchSize, batches, itemsPerSecond, batchP50Ms, batchP99Ms, residentBytesMax }) => [
    workerCount, batchSize, batches, itemsPerSecond.toFixed(1), batchP50Ms.toFixed(2), batchP99Ms.toFixed(2), sizeText(residentBytesMax),
  ]);
  return tableText(['WORKERS', 'BATCH', 'BATCHES', 'ITEMS/S', 'P50 MS', 'P99 MS', 'MEMORY'], rows);
}

/** Throws LS_CLI_USAGE. */
function sizesOf({ manifest }: ModelArtefacts, asked: readonly number[] | undefined): readonly number[] {
  const sizes = batchSizesOf(manifest);
  const other = asked?.find((size) => !sizes.includes(size));
  if (other !== undefined) throw cliError('LS_CLI_USAGE', `${manifest.name} runs in batches of ${sizes.join(', ')}, not of ${other}`);
  return asked ?? sizes;
}

/** Rejects with LS_CLI_*. */
async function inputsOf(artefacts: ModelArtefacts, files: readonly string[]): Promise<readonly ModelInput[]> {
  if (files.length === 0) return probeInputs(artefacts, seededRandom(seed));
  const kind = inputKindOf(artefacts.manifest);
  // What a model is asked about an image or a sound: as its first known answer has it.
  const [known] = knownInputs(artefacts);
  const inputs: ModelInput[] = [];
  for await (const item of taskItems(files, [kind === 'text' ? 'text' : kind === 'values' ? 'record' : 'media'], { bytesMax: inputBytesMax, byLines: false, attributeColumns: [] })) {
    if ('error' in item) throw item.error;
    const { content } = item;
    if ('text' in content) inputs.push({ kind: 'text', text: content.text });
    else if ('values' in content) inputs.push({ kind: 'values', values: content.values });
    else if (known?.kind === 'image' || known?.kind === 'audio') inputs.push({ ...known, ...content });
  }
  return inputs;
}

function sum(cases: readonly BenchCase[], of: (measured: BenchCase) => number): number {
  return cases.reduce((total, measured) => total + of(measured), 0);
}
