/** What `task` asks, and what it tells of the answers. */
import type { Configuration } from '../../config/load.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import { taskConfigMistakes } from '../../core/task-config.ts';
import { tasksOf } from '../../models/manifest.ts';
import { startModelServer } from '../../models/model-server.ts';
import { readManifest, type ModelBinding } from '../../models/repository.ts';
import { systemClock } from '../../pipeline/system-clock.ts';
import type { Task } from '../../tasks/task.ts';
import { outputOf, type CommandLine } from '../context.ts';
import { asFailure, listed, modelNamed, modelsFor, namedModels, type NamedModels } from '../model-choice.ts';
import type { ModelOptions } from '../model-options.ts';
import type { Output } from '../output.ts';
import { taskAnswers, type Question, type TaskAnswer } from './task-answers.ts';
import { taskItems } from './task-files.ts';
import { answerText } from './task-text.ts';

export type TaskOptions = ModelOptions & {
  readonly model?: string;
  readonly text?: string;
  readonly class: readonly string[];
  readonly taskConfig: readonly string[];
  readonly lines?: boolean;
  readonly attributeColumn: readonly string[];
  readonly json?: boolean;
};

/** Without a configuration, which may say otherwise: an hour of sound fits. */
const contentBytesMaxDefault = 128 * 1024 * 1024;
const itemsAtOnceMax = 32;
const bytesAtOnceMax = 64 * 1024 * 1024;

/** Rejects with LS_CLI_* and with what is wrong with the model. */
export async function answerFiles(name: string, files: readonly string[], options: TaskOptions, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  if (files.filter((file) => file === '-').length > 1) throw cliError('LS_CLI_USAGE', 'standard input can be read once: name - once');
  const named = await namedModels(options, commandLine);
  const task = taskOf(name, named);
  const question = questionOf(task, options);
  const model = await chosenModel(task, options, named);
  const running = runTask({ task, files, question: { ...question, model: model.name }, model, options, named }, output, commandLine.signal);
  await (named.configuration === undefined ? running.catch(asFailure) : running);
}

/** Throws LS_CLI_USAGE. */
function taskOf(name: string, { extensions }: NamedModels): Task {
  const task = extensions.tasks.get(name);
  if (task !== undefined) return task;
  throw cliError('LS_CLI_USAGE', `there is no task ${name}; there are ${[...extensions.tasks.keys()].join(', ')} (\`plugins\` of a configuration, or --plugin, add others)`);
}

type Asked = Pick<Question, 'task' | 'text' | 'classes' | 'config'>;

/** Throws LS_CLI_USAGE. */
function questionOf(task: Task, { text, class: classes, taskConfig, lines, attributeColumn }: TaskOptions): Asked {
  const usage = (message: string): never => {
    throw cliError('LS_CLI_USAGE', `${task.name} ${message}`);
  };
  const { text: takesText = 'none', classes: takesClasses = 'none' } = task;
  if (text === undefined && takesText === 'needed') usage('needs --text: what the answer begins with');
  if (text !== undefined && takesText === 'none') usage('takes no --text');
  if (classes.length === 0 && takesClasses === 'needed') usage('needs --class: what is to be told apart');
  if (classes.length > 0 && takesClasses === 'none') usage('takes no --class');
  if (lines === true && !task.accepts.includes('text')) usage('reads no texts: leave --lines out');
  if (attributeColumn.length > 0 && !task.accepts.includes('record')) usage('reads no records: leave --attribute-column out');
  const config = configOf(taskConfig);
  const mistakes = task.configMistakes?.(config) ?? taskConfigMistakes(task.name, config);
  if (mistakes.length > 0) usage(`does not take this --task-config: ${mistakes.join('; ')}`);
  return { task: task.name, text, classes: classes.length === 0 ? undefined : classes, config };
}

/** Later ones win. Throws LS_CLI_USAGE. */
function configOf(parts: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.assign({}, ...parts.map(configPart)) as Readonly<Record<string, unknown>>;
}

function configPart(part: string): object {
  if (part.trimStart().startsWith('{')) {
    const value = jsonOr(part, undefined);
    if (typeof value === 'object' && value !== null) return value;
    throw cliError('LS_CLI_USAGE', `--task-config ${part} is no JSON object`);
  }
  const equals = part.indexOf('=');
  if (equals < 1) throw cliError('LS_CLI_USAGE', `--task-config ${part} is neither of the form name=value nor a JSON object`);
  const value = part.slice(equals + 1);
  return { [part.slice(0, equals)]: jsonOr(value, value) };
}

function jsonOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return otherwise;
  }
}

/** Throws LS_CLI_USAGE, which lists the models that can be meant. */
async function chosenModel(task: Task, { model }: TaskOptions, named: NamedModels): Promise<ModelBinding> {
  if (model !== undefined) return modelNamed(model, named);
  const { configuration, bindings } = named;
  if (configuration === undefined) throw cliError('LS_CLI_USAGE', 'name a model: --model DIRECTORY, or --config FILE with a model that is made for the task');
  const made = await modelsFor(task.name, bindings);
  const [only, ...others] = made;
  if (only !== undefined && others.length === 0) return only;
  const names = (of: readonly ModelBinding[]): string => listed(of.map(({ name }) => name));
  throw cliError('LS_CLI_USAGE', only === undefined ? `no model of the configuration is made for ${task.name}; it names ${names(bindings)}` : `${names(made)} are made for ${task.name}: choose one with --model`);
}

type Running = {
  readonly task: Task;
  readonly files: readonly string[];
  readonly question: Question;
  readonly model: ModelBinding;
  readonly options: TaskOptions;
  readonly named: NamedModels;
};

/** Rejects with LS_CLI_TASK_FAILED when everything is told, and with what is wrong with the model. */
async function runTask({ task, files, question, model, options, named }: Running, output: Output, signal: AbortSignal): Promise<void> {
  const { configuration, extensions } = named;
  const manifest = await readManifest(model.directory);
  if (!tasksOf(manifest).includes(task.name)) throw cliError('LS_CLI_USAGE', `the model ${model.name} is made for ${tasksOf(manifest).join(', ')}, not for ${task.name}`);
  const contentBytesMax = configuration?.media.bytesMax ?? contentBytesMaxDefault;
  const server = await startModelServer({
    models: [{ ...model, preload: true }],
    plugins: extensions.pluginUrls,
    clock: systemClock,
    imageBytesMax: contentBytesMax,
    ...(configuration === undefined ? {} : inferenceOptions(configuration)),
  });
  let [answered, failed] = [0, 0];
  try {
    const items = taskItems(files, task.accepts, { bytesMax: contentBytesMax, byLines: options.lines === true, attributeColumns: options.attributeColumn });
    const itemsMax = Math.min(itemsAtOnceMax, configuration?.inference.queueItemsMax ?? itemsAtOnceMax);
    const { model: name, version } = server.describe(model.name);
    for await (const answer of taskAnswers(items, { models: server, tasks: extensions.tasks }, question, { itemsMax, bytesMax: bytesAtOnceMax }, signal)) {
      tell(answer, { task: task.name, model: name, modelVersion: version }, files.length > 1, output);
      if ('error' in answer) failed += 1;
      else answered += 1;
    }
  } finally {
    await server.close();
  }
  if (failed > 0) throw cliError('LS_CLI_TASK_FAILED', `${failed} of ${counted(answered + failed, 'item')} could not be answered`, { failed });
}

function inferenceOptions({ inference }: Configuration): Pick<Parameters<typeof startModelServer>[0], 'workerCount' | 'limits' | 'memoryBytesMax' | 'preprocessing'> {
  return {
    workerCount: inference.workerCount,
    limits: { lingerMsMax: inference.batchLingerMs, queueItemsMax: inference.queueItemsMax },
    memoryBytesMax: inference.memoryBytesMax,
    preprocessing: { imagePixelsMax: inference.imagePixelsMax },
  };
}

function tell(answer: TaskAnswer, by: { readonly task: string; readonly model: string; readonly modelVersion: string }, isNamed: boolean, output: Output): void {
  const { file, line } = answer;
  const place = { file, ...(line === undefined ? {} : { line }) };
  if ('error' in answer) {
    const { code, message } = answer.error;
    if (output.json) output.object({ ...place, ...by, error: { code, message } });
    // What is wrong with a file says by itself which one it is.
    else output.note(`${message.startsWith(file) ? '' : `${placeText(answer)}: `}${message} [${code}]`);
    return;
  }
  const { result } = answer;
  if (output.json) {
    output.object({ ...place, ...by, ...(result.kind === 'features' ? { vector: Array.from(result.vector) } : { result: result.result }) });
    return;
  }
  const text = answerText(result);
  if (!isNamed && line === undefined) output.lines(text);
  else if (text.includes('\n')) output.lines([`${placeText(answer)}:`, ...text.split('\n').map((part) => `  ${part}`)].join('\n'));
  else output.line(`${placeText(answer)}: ${text}`);
}

function placeText({ file, line }: Pick<TaskAnswer, 'file' | 'line'>): string {
  const shown = file === '-' ? 'standard input' : file;
  return line === undefined ? shown : `${shown}, line ${line}`;
}
