/**
 * EXTRACT: a map from an input event to its results. Decode, find the routes, run their steps, encode what came out; whatever fails becomes
 * a dead letter among the outputs, so a record never stops its siblings (ARCHITECTURE.md).
 */
import { extractError } from '../../core/errors/extract.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { Origin } from '../../core/events.generated.ts';
import { itemIdOf } from '../../core/ids.ts';
import type { ConsumedRecord, OutputRecord } from '../../core/records.ts';
import { chosenSteps, routeMatches, routeStepName, type Route, type RouteStep } from '../../core/routes.ts';
import { renderTemplate } from '../../core/templates.ts';
import { inputTopics, isRerunTopic } from '../../core/topics.ts';
import type { MapStage, ProcessContext, Processed } from '../../pipeline/stage.ts';
import type { TaskEvent, TaskResult } from '../../tasks/task.ts';
import { createExtractOutputs, type ExtractOutputs } from './outputs.ts';
import { readInputEvent, type InputEvent } from './input-event.ts';
import type { ExtractOptions } from './options.ts';
import type { HeldContent } from './remote-content.ts';
import { rerunOf, type Rerun } from './rerun.ts';
import { failuresOf, runSteps, type StepOutcome } from './step-graph.ts';

export function createExtractStage(options: ExtractOptions): MapStage {
  const outputs = createExtractOutputs(options);
  return {
    kind: 'map',
    name: 'extract',
    topics: inputTopics,
    process: (record, context) => processRecord(record, context, options, outputs),
    park: (record) => (isRerunTopic(record.topic) ? undefined : outputs.parked(record)),
  };
}

async function processRecord(
  record: ConsumedRecord,
  context: ProcessContext,
  options: ExtractOptions,
  outputs: ExtractOutputs,
): Promise<Processed> {
  const origin = outputs.originOf(record);
  const rerun = rerunOf(record);
  let input: InputEvent;
  // Again, because what was fetched for it may have made room for others meanwhile.
  for (let wait = options.codec.prepareDecode(record.value, context); wait !== undefined; wait = options.codec.prepareDecode(record.value, context)) await wait;
  try {
    // What a topic takes is asked of the one that the event came in first.
    input = readInputEvent(options.codec, { ...record, topic: origin.topic });
  } catch (error) {
    return { outputs: [outputs.deadLetter(record, error)], systemFailures: systemFailure(error) };
  }
  const matching = options.routes.filter((route) => routeMatches(route, input.kind, input.event));
  const gone = stepsGone(rerun, matching);
  if (gone.length > 0) {
    const message = `no route that takes the ${input.kind} event ${itemIdOf(input.event)} has ${gone.length === 1 ? 'the step' : 'the steps'} ${list(gone)}`;
    return refused(record, extractError('LS_EXTRACT_STEP_UNKNOWN', message), outputs);
  }
  if (matching.length === 0) return unrouted(record, input, options, outputs);
  const choice = { named: rerun.steps === undefined ? undefined : new Set(rerun.steps), tasks: input.event.tasks, known: rerun.labels };
  const routes = matching.map((route) => ({ ...route, steps: chosenSteps(route, choice) }));
  // An item is gone whatever tasks the event asks for.
  const leaving = rerun.steps === undefined ? matching : routes;
  if ('deleted' in input.event && input.event.deleted) return { outputs: outputs.deletions(record, origin, input, leaving), systemFailures: [] };
  const unknown = input.event.tasks.filter((task) => !options.tasks.has(task));
  if (unknown.length > 0) {
    const message = `there is no task ${list(unknown)}; there are ${list([...options.tasks.keys()])}`;
    return refused(record, extractError('LS_EXTRACT_TASK_UNKNOWN', message), outputs);
  }
  if (!routes.some(({ steps }) => steps.length > 0)) return unrouted(record, input, options, outputs);
  return withContent(record, input, context, options, outputs, (event) =>
    runRoutes(record, { input: event, origin, routes, known: rerun.labels }, context, options, outputs),
  );
}

/** Every task on media events needs the content, so where it cannot be had there is one dead letter for all steps. */
async function withContent(
  record: ConsumedRecord,
  input: InputEvent,
  context: ProcessContext,
  options: ExtractOptions,
  outputs: ExtractOutputs,
  run: (event: TaskEvent) => Promise<Processed>,
): Promise<Processed> {
  if (input.kind !== 'media') return run(input);
  let held: HeldContent;
  try {
    held = await options.media.read(input.event.content ?? Buffer.alloc(0), context);
  } catch (error) {
    context.signal.throwIfAborted();
    return refused(record, error, outputs);
  }
  try {
    return await run({ ...input, content: held.bytes });
  } finally {
    held.release();
  }
}

/** Steps that were to be run again and are in no route of the event any more. */
function stepsGone({ steps = [] }: Rerun, routes: readonly Route[]): readonly string[] {
  const there = new Set(routes.flatMap((route) => route.steps.map((step) => routeStepName(route, step))));
  return steps.filter((step) => !there.has(step));
}

function unrouted(record: ConsumedRecord, input: InputEvent, options: ExtractOptions, outputs: ExtractOutputs): Processed {
  if (options.unrouted === 'drop') return { outputs: [], systemFailures: [] };
  const wanted = input.event.tasks.length === 0 ? '' : ` for ${list(input.event.tasks)}`;
  return refused(record, extractError('LS_EXTRACT_UNROUTED', `no route takes the ${input.kind} event ${itemIdOf(input.event)}${wanted}`), outputs);
}

function refused(record: ConsumedRecord, error: unknown, outputs: ExtractOutputs): Processed {
  return { outputs: [outputs.deadLetter(record, error)], systemFailures: systemFailure(error) };
}

function list(names: readonly string[]): string {
  return names.map((name) => name.slice(0, 100)).slice(0, 10).join(', ');
}

/** The routes hold only the steps that are run. */
type Work = { readonly input: TaskEvent; readonly origin: Origin; readonly routes: readonly Route[]; readonly known: Rerun['labels'] };

async function runRoutes(
  record: ConsumedRecord,
  { input, origin, routes, known }: Work,
  context: ProcessContext,
  options: ExtractOptions,
  outputs: ExtractOutputs,
): Promise<Processed> {
  const results: OutputRecord[] = [];
  const systemFailures: string[] = [];
  // The place of a features step among all of them, failed ones included: the same after every crash, whatever fails this time.
  let featureIndex = 0;
  const finished = await Promise.all(
    routes.map(async (route) => {
      return { route, outcomes: await runSteps(route.steps, known, (step, labels) => runStep(step, labels, input, context, options)) };
    }),
  );
  context.signal.throwIfAborted();
  for (const { route, outcomes } of finished) {
    for (const [step, outcome] of outcomes) {
      const index = options.tasks.get(step.task)?.produces === 'features' ? featureIndex++ : 0;
      if (outcome.status !== 'done') continue;
      results.push(outputs.result(record, { input, origin, routeStep: routeStepName(route, step), step, index }, outcome));
    }
    for (const failure of failuresOf(route, outcomes, known)) {
      systemFailures.push(...systemFailure(failure.error));
      results.push(outputs.deadLetter(record, failure.error, failure));
    }
  }
  return { outputs: results, systemFailures };
}

async function runStep(
  step: RouteStep,
  labels: ReadonlyMap<string, string>,
  input: TaskEvent,
  context: ProcessContext,
  options: ExtractOptions,
): Promise<StepOutcome> {
  let attempt = 1;
  try {
    const task = options.tasks.get(step.task);
    if (task === undefined) throw extractError('LS_EXTRACT_STEP_FAILED', `there is no task ${step.task}`, { task: step.task });
    const collection = collectionOf(step, labels, input, options);
    const asked = task.input(input, step.parameters);
    const answer = await context.retry((count) => {
      attempt = count;
      return options.models.run(step.model, asked, { signal: context.signal });
    });
    const result = task.output(answer, options.models.describe(step.model), step.parameters);
    return { status: 'done', result, topLabel: topLabelOf(result), collection };
  } catch (error) {
    return { status: 'failed', error, attempt };
  }
}

function collectionOf(step: RouteStep, labels: ReadonlyMap<string, string>, input: InputEvent, options: ExtractOptions): string | undefined {
  if (step.collection === undefined) return undefined;
  const { source, attributes } = input.event;
  const given = 'collection' in input.event ? input.event.collection : null;
  const language = 'language' in input.event ? input.event.language : null;
  const fields = { source, ...(given === null ? {} : { collection: given }), ...(language === null ? {} : { language }) };
  const name = renderTemplate(step.collection, { fields, attributes, labels });
  const family = step.collection.text;
  if (name === undefined) throw extractError('LS_EXTRACT_COLLECTION_EMPTY', `the collection ${family} gave no name`, { family });
  if (options.allowedNames.get(family)?.has(name) === false) {
    throw extractError('LS_EXTRACT_COLLECTION_NOT_ALLOWED', `the collection ${family} gave the name ${name}, which it does not allow`, { family, name });
  }
  return name;
}

function topLabelOf(result: TaskResult): string | undefined {
  if (result.kind !== 'label') return undefined;
  if ('labelstream.v1.Classification' in result.result) return result.result['labelstream.v1.Classification'].labels[0]?.label;
  if ('labelstream.v1.Prediction' in result.result) return result.result['labelstream.v1.Prediction'].label ?? undefined;
  // The surest box is the first one.
  if ('labelstream.v1.Detection' in result.result) return result.result['labelstream.v1.Detection'].labels[0];
  if ('labelstream.v1.ZeroShot' in result.result) return likeliest(result.result['labelstream.v1.ZeroShot']);
  return undefined;
}

/** The first of several that are equally likely. */
function likeliest({ classes, probabilities }: { readonly classes: readonly string[]; readonly probabilities: readonly number[] }): string | undefined {
  const largest = probabilities.reduce((found, value) => Math.max(found, value), Number.NEGATIVE_INFINITY);
  return classes[probabilities.indexOf(largest)];
}

function systemFailure(error: unknown): readonly string[] {
  if (!(error instanceof LabelstreamError)) return ['LS_EXTRACT_STEP_FAILED'];
  return error.description.cause === 'input' ? [] : [error.code];
}
