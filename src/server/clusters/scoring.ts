/**
 * Where texts and images would be in a collection: their features by the very step that feeds it, then their places among its items. Nothing is inserted.
 *
 *     collection -> its family, as the log defines it -> the step of a route that feeds that -> features -> places
 */
import { serverError } from '../../core/errors/server.ts';
import type { Route, RouteStep } from '../../core/routes.ts';
import { askAll, type AskOptions, type FamilyDefinition, type PartitionStanding, type VectorPlace } from '../../stages/cluster/cluster-queries.ts';
import { runTaskRequest, type TaskContent, type TaskOutcome } from '../../tasks/task-request.ts';
import type { TaskHost } from '../task-host.ts';
import { unknown, type AskedClusters } from './asked-clusters.ts';

export type ScoringHost = {
  readonly host: TaskHost;
  readonly clusters: AskedClusters;
  readonly routes: readonly Route[];
};

/** What an item is, or why it is none. */
export type ScoredContent = { readonly content: TaskContent } | { readonly error: unknown };

export type ScoringRequest = {
  readonly collection: string;
  /** Where collections of several families have the name, or none has it yet. */
  readonly family?: string | undefined;
  /** As events are told apart. */
  readonly kind: 'text' | 'media';
  readonly items: readonly ScoredContent[];
  /** That the model has to have; any without it. */
  readonly modelVersion?: string | undefined;
};

export type ScoredItem = { readonly place: VectorPlace } | { readonly error: unknown };

export type Scores = {
  readonly family: string;
  readonly model: string;
  readonly modelVersion: string;
  /** In the order of the items. */
  readonly items: readonly ScoredItem[];
  readonly heldAt: readonly PartitionStanding[];
};

/** Rejects with LS_SERVER_NOT_FOUND, LS_SERVER_REQUEST, LS_SERVER_MODEL_CHANGED; what is wrong with an item stands in its place. */
export async function scoresOf(scoring: ScoringHost, request: ScoringRequest, options: AskOptions): Promise<Scores> {
  const definition = await definitionOf(scoring, request, options);
  const step = stepFor(scoring, definition.family, request);
  const served = scoring.host.models().describe(step.model);
  requireSameModel(definition, served, request);
  const vectors = await vectorsOf(scoring.host, step, request.items, options.signal);
  const { value, heldAt } = await askAll(
    scoring.clusters(),
    (view) => {
      if (view.definitionsOf(request.collection, definition.family).length === 0) return undefined;
      return Promise.allSettled(vectors.map(async (outcome) => ('error' in outcome ? undefined : (await view.place(request.collection, outcome.vector, definition.family))[0])));
    },
    options,
  );
  const places = value.find((each) => each !== undefined);
  const items = vectors.map((outcome, index): ScoredItem => {
    const settled = places?.[index];
    if ('error' in outcome) return outcome;
    if (settled?.status === 'rejected') return { error: settled.reason };
    return settled?.value === undefined ? { error: unknown('collection', request.collection) } : { place: settled.value };
  });
  return { family: definition.family, model: served.model, modelVersion: served.version, items, heldAt };
}

async function definitionOf({ clusters }: ScoringHost, { collection, family }: ScoringRequest, options: AskOptions): Promise<FamilyDefinition> {
  const { value } = await askAll(clusters(), (view) => view.definitionsOf(collection, family), options);
  const [found, ...others] = value.flat();
  if (found === undefined) throw unknown('collection', family ?? collection);
  if (others.length === 0) return found;
  const families = [found, ...others].map((each) => each.family).join(', ');
  throw serverError('LS_SERVER_REQUEST', `several families have a collection ${collection}: ${families}; name one as family`, { field: 'family' });
}

/** Several steps may feed a family, by one model: which of them is meant shows by what they take. */
function stepFor({ host, routes }: ScoringHost, family: string, { kind }: ScoringRequest): RouteStep {
  const feeding = routes.flatMap(({ steps }) => steps).filter(({ collection }) => collection?.text === family);
  const accepts = ({ task }: RouteStep) => host.tasks.get(task)?.accepts ?? [];
  const step = feeding.find((each) => accepts(each).includes(kind));
  if (step !== undefined) return step;
  const words = { text: 'texts', media: 'images', record: 'records' } as const;
  const taken = [...new Set(feeding.flatMap(accepts))].map((each) => words[each]).join(' and ') || 'nothing here, as no step of a route feeds it';
  throw serverError('LS_SERVER_REQUEST', `${family} takes ${taken}, not ${words[kind]}`, { family });
}

type Served = { readonly model: string; readonly version: string };

function requireSameModel(declared: FamilyDefinition, served: Served, { modelVersion = served.version }: ScoringRequest): void {
  const name = `${served.model} ${served.version}`;
  const details = { family: declared.family, model: served.model, modelVersion: served.version };
  if (declared.model !== served.model || declared.modelVersion !== served.version) {
    throw serverError('LS_SERVER_MODEL_CHANGED', `the items of ${declared.family} were made by ${declared.model} ${declared.modelVersion}, and ${name} is served`, details);
  }
  if (modelVersion !== served.version) throw serverError('LS_SERVER_MODEL_CHANGED', `version ${modelVersion} is asked for, and ${name} is served`, details);
}

type VectorOutcome = { readonly vector: Float32Array } | { readonly error: unknown };

/** As EXTRACT would have them of events, before those of the stream. */
async function vectorsOf({ models, tasks }: TaskHost, { task, model, parameters }: RouteStep, items: readonly ScoredContent[], signal: AbortSignal): Promise<readonly VectorOutcome[]> {
  const content = items.flatMap((item) => ('content' in item ? [item.content] : []));
  const request = { task, model, content, config: parameters?.config };
  const outcomes = content.length === 0 ? [] : ((await runTaskRequest({ models: models(), tasks }, request, { signal, priority: 'interactive' })) as readonly TaskOutcome[]);
  let next = 0;
  return items.map((item): VectorOutcome => ('error' in item ? item : vectorOf(task, outcomes[next++])));
}

function vectorOf(task: string, outcome: TaskOutcome | undefined): VectorOutcome {
  if (outcome === undefined) throw new TypeError(`${task} gave too few outcomes`);
  if ('error' in outcome) return outcome;
  if (outcome.result.kind !== 'features') throw new TypeError(`${task} gave ${outcome.result.kind}`);
  return { vector: outcome.result.vector };
}
