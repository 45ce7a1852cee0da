/** `models bench`: items per second, times and memory of a model on this machine. */
import { InvalidArgumentError, type Command } from 'commander';
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
import { collected } from './collect.ts';
import { outputOf, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { asFailure, modelNamed, namedModels, withModelConfiguration, withPlugins, type ModelOptions } from './model-choice.ts';
import { tableText } from './output.ts';
import { sizeText } from './size-text.ts';
import { taskItems } from './task/task-files.ts';

type BenchCommandOptions = ModelOptions & {
  readonly input: readonly string[];
  readonly seconds: number;
  readonly workers?: readonly number[];
  readonly batchSizes?: readonly number[];
  readonly json?: boolean;
};

const inputBytesMax = 256 * 1024 * 1024;
const seed = 1;

export function addModelsBenchCommand(models: Command, commandLine: CommandLine): void {
  const command = withPlugins(withModelConfiguration(models.command('bench')))
    .argument('<model>', 'a directory with a manifest.json, or a name of the configuration')
    .summary('measure how fast a model is here')
    .description(
      'measure a model on this machine: items per second, how long batches take, and the most memory that the process had, for each size of batches in which the model may run, by one worker ' +
        'thread and by as many as the stream would have. Decoding, preprocessing and what comes after the graph are in it; queues and events are not. These are no ratios: on a machine ' +
        'that does something else they are worth nothing',
    )
    .option('--input <file>', 'what to give it (an image, a sound, a text, records); may be repeated. Without it: its known inputs and made-up ones', collected, [])
    .option('--seconds <number>', 'of each measurement, after a warm-up', positive, 3)
    .option('--workers <counts>', 'numbers of worker threads, such as 1,2', counts)
    .option('--batch-sizes <sizes>', 'of those of the manifest, these alone', counts)
    .option('--json', 'one JSON object')
    .action(async (name: string, options: BenchCommandOptions) => {
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
    });
  withExamples(command, 'labelstream models bench models/topic-classifier', 'labelstream models bench models/visual-encoder --input photo.jpg --workers 1,2 --batch-sizes 8 --json');
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

function counts(value: string): readonly number[] {
  const numbers = value.split(',').map((part) => part.trim());
  if (!numbers.every((part) => /^[1-9]\d{0,3}$/.test(part))) throw new InvalidArgumentError('Write whole numbers from 1, with commas.');
  return numbers.map(Number);
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number <= 3_600)) throw new InvalidArgumentError('It is no number of seconds, up to 3600.');
  return number;
}
