/**
 * EXTRACT: a map from an input event to its results. Decode, find the routes, run their steps, encode what came out; whatever fails becomes
 * a dead letter among the outputs, so a record never stops its siblings (ARCHITECTURE.md).
 */
import { extractError } from '../../core/errors/extract.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { Origin } from '../../core/events.generated.ts';
import { itemIdOf } from '../../core/ids.ts';
import type { ConsumedRecord, OutputRecord } from '../../core/records.ts';
import { routeMatches, routeStepName, type Route, type RouteStep } from '../../core/routes.ts';
import { renderTemplate } from '../../core/templates.ts';
import { topics } from '../../core/topics.ts';
import type { MapStage, ProcessContext, Processed } from '../../pipeline/stage.ts';
import type { TaskEvent, TaskResult } from '../../tasks/task.ts';
import { createExtractOutputs, type ExtractOutputs } from './outputs.ts';
import { readInputEvent } from './input-event.ts';
import type { ExtractOptions } from './options.ts';
import { failuresOf, runSteps, type StepOutcome } from './step-graph.ts';

export function createExtractStage(options: ExtractOptions): MapStage {
  const outputs = createExtractOutputs(options);
  return {
    kind: 'map',
    name: 'extract',
    topics: [topics.text, topics.record, topics.media, topics.parked],
    process: (record, context) => processRecord(record, context, options, outputs),
    park: (record) => (record.topic === topics.parked ? undefined : outputs.parked(record)),
  };
}

async function processRecord(
  record: ConsumedRecord,
  context: ProcessContext,
  options: ExtractOptions,
  outputs: ExtractOutputs,
): Promise<Processed> {
  const origin = outputs.originOf(record);
  let input: TaskEvent;
  try {
    input = readInputEvent(options.codec, record);
  } catch (error) {
    return { outputs: [outputs.deadLetter(record, error)], systemFailures: systemFailure(error) };
  }
  const matching = options.routes.filter((route) => routeMatches(route, input.kind, input.event));
  if (matching.length === 0) return unrouted(record, input, options, outputs);
  if ('deleted' in input.event && input.event.deleted) return { outputs: outputs.deletions(record, origin, input, matching), systemFailures: [] };
  const unknown = input.event.tasks.filter((task) => !options.tasks.has(task));
  if (unknown.length > 0) {
    const message = `there is no task ${list(unknown)}; there are ${list([...options.tasks.keys()])}`;
    return refused(record, extractError('LS_EXTRACT_TASK_UNKNOWN', message), outputs);
  }
  if (!matching.some((route) => stepsFor(route, input.event.tasks).length > 0)) return unrouted(record, input, options, outputs);
  return runRoutes(record, { input, origin, routes: matching }, context, options, outputs);
}

function unrouted(record: ConsumedRecord, input: TaskEvent, options: ExtractOptions, outputs: ExtractOutputs): Processed {
  if (options.unrouted === 'drop') return { outputs: [], systemFailures: [] };
  const wanted = input.event.tasks.length === 0 ? '' : ` for ${list(input.event.tasks)}`;
  return refused(record, extractError('LS_EXTRACT_UNROUTED', `no route takes the ${input.kind} event ${itemIdOf(input.event)}${wanted}`), outputs);
}

function refused(record: ConsumedRecord, error: LabelstreamError, outputs: ExtractOutputs): Processed {
  return { outputs: [outputs.deadLetter(record, error)], systemFailures: systemFailure(error) };
}

function list(names: readonly string[]): string {
  return names.map((name) => name.slice(0, 100)).slice(0, 10).join(', ');
}

type Work = { readonly input: TaskEvent; readonly origin: Origin; readonly routes: readonly Route[] };

async function runRoutes(
  record: ConsumedRecord,
  { input, origin, routes }: Work,
  context: ProcessContext,
  options: ExtractOptions,
  outputs: ExtractOutputs,
): Promise<Processed> {
  const wanted = input.event.tasks;
  const results: OutputRecord[] = [];
  const systemFailures: string[] = [];
  // The place of a features step among all of them, failed ones included: the same after every crash, whatever fails this time.
  let featureIndex = 0;
  const finished = await Promise.all(
    routes.map(async (route) => {
      return { route, outcomes: await runSteps(stepsFor(route, wanted), (step, labels) => runStep(step, labels, input, context, options)) };
    }),
  );
  context.signal.throwIfAborted();
  for (const { route, outcomes } of finished) {
    for (const [step, outcome] of outcomes) {
      const index = options.tasks.get(step.task)?.produces === 'features' ? featureIndex++ : 0;
      if (outcome.status !== 'done') continue;
      results.push(outputs.result(record, { input, origin, routeStep: routeStepName(route, step), step, index }, outcome));
    }
    for (const failure of failuresOf(route, outcomes)) {
      systemFailures.push(...systemFailure(failure.error));
      results.push(outputs.deadLetter(record, failure.error, failure));
    }
  }
  return { outputs: results, systemFailures };
}

/** The steps of the wanted tasks, and those whose labels they read; all where none is named. */
function stepsFor(route: Route, wanted: readonly string[]): readonly RouteStep[] {
  if (wanted.length === 0) return route.steps;
  const chosen = new Set(route.steps.filter((step) => wanted.includes(step.task)));
  for (const step of [...route.steps].reverse()) {
    if (!chosen.has(step)) continue;
    for (const part of step.collection?.parts ?? []) {
      if (part.kind !== 'value' || part.path.kind !== 'label') continue;
      const { step: needed } = part.path;
      for (const candidate of route.steps) if (candidate.name === needed) chosen.add(candidate);
    }
  }
  return route.steps.filter((step) => chosen.has(step));
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
    const asked = task.input(input);
    const answer = await context.retry((count) => {
      attempt = count;
      return options.models.run(step.model, asked, context.signal);
    });
    const result = task.output(answer, options.models.describe(step.model));
    return { status: 'done', result, topLabel: topLabelOf(result), collection };
  } catch (error) {
    return { status: 'failed', error, attempt };
  }
}

function collectionOf(step: RouteStep, labels: ReadonlyMap<string, string>, input: TaskEvent, options: ExtractOptions): string | undefined {
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
  return undefined;
}

function systemFailure(error: unknown): readonly string[] {
  if (!(error instanceof LabelstreamError)) return ['LS_EXTRACT_STEP_FAILED'];
  return error.description.cause === 'input' ? [] : [error.code];
}
