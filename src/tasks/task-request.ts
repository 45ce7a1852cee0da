/**
 * A task asked for directly, without an event: for one item or for a list. A list in means a list out, in its order, in which each item has its own
 * outcome; where several lists are given, shorter ones are repeated until they are as long as the longest, which has to be a multiple of each.
 */
import { LabelstreamError } from '../core/errors/error.ts';
import { taskError } from '../core/errors/task.ts';
import { shortTextLengthMax } from '../core/short-text.ts';
import { parseTaskConfig } from '../core/task-config.ts';
import type { Models, RunOptions } from '../models/model-port.ts';
import { taskNamed } from './registry.ts';
import type { Task, TaskEvent, TaskParameters, TaskResult } from './task.ts';

/** An encoded image or sound, and what it is said to be. */
export type MediaContent = { readonly bytes: Uint8Array; readonly contentType: string };

/** What a task is asked about: of the kind that it takes. */
export type TaskContent = MediaContent | { readonly text: string } | { readonly values: Readonly<Record<string, number>> };

/** What there is to ask: models, and tasks, which are the program's own where none are given. */
export type TaskServices = { readonly models: Models; readonly tasks?: ReadonlyMap<string, Task> };

export type TaskRequest = {
  readonly task: string;
  /** The name that a model is bound to. */
  readonly model: string;
  readonly content: TaskContent | readonly TaskContent[];
  /** What answers begin with. */
  readonly text?: string | readonly string[] | undefined;
  /** One list of classes for all items, or one for each. */
  readonly classes?: readonly string[] | readonly (readonly string[])[] | undefined;
  /** Checked here; the same for all items. */
  readonly config?: unknown;
};

export type TaskOutcome = { readonly result: TaskResult } | { readonly error: unknown };

/** Of answers that have no place for a single failure. Throws that of the first item that failed, and which one it was. */
export function resultsOf(outcomes: readonly TaskOutcome[]): readonly TaskResult[] {
  return outcomes.map((outcome, index) => {
    if ('error' in outcome) throw outcomes.length === 1 ? outcome.error : withPlace(outcome.error, index, outcomes.length);
    return outcome.result;
  });
}

function withPlace(error: unknown, index: number, count: number): unknown {
  if (!(error instanceof LabelstreamError) || error.description.cause !== 'input') return error;
  return new LabelstreamError(error.code, error.description, `item ${index} (from 0) of ${count}: ${error.message}`, error.details, { cause: error });
}

const classesMax = 1_000;
/** In one request: as many as may wait for a model. More of them at once would only be refused, one by one. */
export const taskItemsMax = 4_096;

/**
 * Rejects with what is wrong with the request as a whole: LS_TASK_UNKNOWN, LS_TASK_CONFIG, LS_MODEL_UNKNOWN, LS_TASK_INPUT (lists that do not fit, or are too long). Of a single
 * item also with what is wrong with it.
 */
export async function runTaskRequest(services: TaskServices, request: TaskRequest, options: RunOptions): Promise<TaskResult | readonly TaskOutcome[]> {
  const { content, text, classes } = request;
  const isList = isListOf(content) || isListOf(text) || isNested(classes);
  const run = itemRunner(services, request, options);
  const contents = isListOf(content) ? content : [content];
  const texts = isListOf(text) ? text : [text];
  const classLists: readonly (readonly string[] | undefined)[] = isNested(classes) ? classes : [classes];
  if (!isList) return run(contents[0], texts[0], classLists[0]);
  const count = Math.max(contents.length, texts.length, classLists.length);
  if (count > taskItemsMax) throw taskError('LS_TASK_INPUT', `${request.task}: there are ${count} items; at most ${taskItemsMax} are taken at once`, { task: request.task, count });
  for (const [field, list] of [['content', contents], ['text', texts], ['classes', classLists]] as const) requireFit(request.task, field, list.length, count);
  const items = Array.from({ length: count }, (_, index) => run(contents[index % contents.length], texts[index % texts.length], classLists[index % classLists.length]));
  const settled = await Promise.allSettled(items);
  return settled.map((outcome): TaskOutcome => (outcome.status === 'fulfilled' ? { result: outcome.value } : { error: outcome.reason }));
}

function isListOf<Item>(value: Item | readonly Item[] | undefined): value is readonly Item[] {
  return Array.isArray(value);
}

function isNested(classes: TaskRequest['classes']): classes is readonly (readonly string[])[] {
  return classes !== undefined && classes.some((entry) => typeof entry !== 'string');
}

function requireFit(task: string, field: string, length: number, count: number): void {
  if (length > 0 && count % length === 0) return;
  throw taskError('LS_TASK_INPUT', `${task}: ${field} is a list of ${length}, which cannot be repeated to ${count}`, { task, field, length });
}

type RunItem = (content: TaskContent | undefined, text: string | undefined, classes: readonly string[] | undefined) => Promise<TaskResult>;

/** Throws what is wrong for all items. */
function itemRunner({ models, tasks }: TaskServices, { task: name, model, config: given = {} }: TaskRequest, options: RunOptions): RunItem {
  const task = taskNamed(name, tasks);
  const config = parseTaskConfig(name, given, task.configMistakes);
  const description = models.describe(model);
  const { text: takesText = 'none', classes: takesClasses = 'none' } = task;
  const refuse = (field: string, message: string): never => {
    throw taskError('LS_TASK_INPUT', `${name}: ${message}`, { task: name, field });
  };
  return async (content, text, classes) => {
    if (content === undefined) return refuse('content', 'there is no content');
    if ((text === undefined) !== (takesText === 'none')) refuse('text', takesText === 'none' ? 'this task takes no text' : 'this task needs a text to begin with');
    if (classes === undefined ? takesClasses === 'needed' : takesClasses === 'none') refuse('classes', classes === undefined ? 'this task needs classes' : 'this task takes no classes');
    if (classes !== undefined && (classes.length === 0 || classes.length > classesMax)) refuse('classes', `there are ${classes.length} classes; 1 to ${classesMax} are taken`);
    const endless = classes?.findIndex((entry) => entry === '' || entry.length > shortTextLengthMax) ?? -1;
    if (endless >= 0) refuse('classes', `class ${endless} is empty, or has more than ${shortTextLengthMax} UTF-16 units`);
    const parameters: TaskParameters = {
      config,
      ...(text === undefined ? {} : { text: { text: 'the text', parts: [{ kind: 'literal', text }] } }),
      ...(classes === undefined ? {} : { classes }),
    };
    const answer = await models.run(model, task.input(eventOf(content), parameters), options);
    return task.output(answer, description, parameters);
  };
}

function eventOf(content: TaskContent): TaskEvent {
  const common = { id: '', source: '', occurredAt: 0, tasks: [], attributes: {} };
  if ('text' in content) return { kind: 'text', event: { ...common, text: content.text, language: null, collection: null, deleted: false } };
  if ('values' in content) return { kind: 'record', event: { ...common, values: { ...content.values } } };
  const { bytes, contentType } = content;
  return { kind: 'media', event: { ...common, contentType, content: null, collection: null, deleted: false }, content: bytes };
}
