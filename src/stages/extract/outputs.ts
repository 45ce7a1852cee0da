/** What EXTRACT's results look like as records: ids, keys and partitions are functions of the input alone. */
import { LabelstreamError } from '../../core/errors/error.ts';
import { extractError } from '../../core/errors/extract.ts';
import type { FeatureEvent, LabelEvent, Origin } from '../../core/events.generated.ts';
import { featureEventId, itemIdOf, labelEventId } from '../../core/ids.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, recordBytes, type ConsumedRecord, type Headers, type OutputRecord } from '../../core/records.ts';
import { routeStepName, type Route, type RouteStep } from '../../core/routes.ts';
import { isRerunTopic, topics } from '../../core/topics.ts';
import { deadLetter } from '../../pipeline/dead-letter.ts';
import { createEventHeaders } from '../../pipeline/event-headers.ts';
import { encodeOrigin, headerNames, originOf } from '../../pipeline/headers.ts';
import type { InputEvent } from './input-event.ts';
import type { ExtractOptions } from './options.ts';
import { rerunOf } from './rerun.ts';
import type { FailedSteps, StepResult } from './step-graph.ts';

export type ResultContext = {
  readonly input: InputEvent;
  readonly origin: Origin;
  readonly routeStep: string;
  readonly step: RouteStep;
  readonly index: number;
};

export type ExtractOutputs = ReturnType<typeof createExtractOutputs>;

export function createExtractOutputs(options: ExtractOptions) {
  const partitionOf = (topic: string, key: string | Buffer | null): number => partitionForKey(key ?? '', options.partitionCounts.get(topic) ?? 1);
  const eventHeaders = createEventHeaders(options.cloudEventSource);
  const keyed = (topic: string, key: string, value: Buffer, headers: Headers): OutputRecord => ({
    topic, partition: partitionOf(topic, key), key: Buffer.from(key), value, headers,
  });

  function label(record: ConsumedRecord, context: ResultContext, result: LabelEvent['result']): OutputRecord {
    const event = labelEvent(options, context, result);
    return keyed(topics.labels, event.itemId, options.codec.encode('LabelEvent', event), eventHeaders('LabelEvent', event.id, record.headers));
  }

  /** CLUSTER may refuse it, and is then to tell the attempts before, too, and what it comes of. */
  function feature(record: ConsumedRecord, event: FeatureEvent): OutputRecord {
    const { attempts, redriveCause } = rerunOf(record);
    const ofEvent = eventHeaders('FeatureEvent', event.id, record.headers);
    const ofRerun: [string, Buffer][] = [];
    if (attempts > 0) ofRerun.push([headerNames.runAttempts, Buffer.from(String(attempts))]);
    if (redriveCause !== undefined) ofRerun.push([headerNames.redriveCause, Buffer.from(`${redriveCause} ${event.read.index}`)]);
    const headers = ofRerun.length === 0 ? ofEvent : new Map([...ofRerun, ...ofEvent]);
    return keyed(topics.features, event.family, options.codec.encode('FeatureEvent', event), headers);
  }

  function dead(record: ConsumedRecord, thrown: unknown, failed?: Partial<Omit<FailedSteps, 'error'>>): OutputRecord {
    const error = thrown instanceof LabelstreamError ? thrown : extractError('LS_EXTRACT_STEP_FAILED', messageOf(thrown), {}, { cause: thrown });
    const schemaId = options.codec.schemaIdOf(record.value);
    const rerun = rerunOf(record);
    const { attempt = 1, ...about } = failed ?? (rerun.steps === undefined ? {} : { routeSteps: rerun.steps, results: Object.fromEntries(rerun.labels) });
    const failure = {
      code: error.code, message: error.message, stage: 'extract', attempt: rerun.attempts + attempt, origin: inputOriginOf(record),
      ...(schemaId === undefined ? {} : { schemaId }),
      ...(rerun.redriveCause === undefined ? {} : { redriveCause: rerun.redriveCause }),
      ...about,
    };
    return deadLetter(record, failure, partitionOf(topics.deadLetters, record.key));
  }

  return {
    originOf: inputOriginOf,
    deadLetter: dead,
    /** The record as it came, with its origin, for a reader with a budget of its own. */
    parked: (record: ConsumedRecord): OutputRecord => ({
      topic: topics.parked,
      partition: partitionOf(topics.parked, record.key),
      key: record.key,
      value: record.value,
      headers: new Map(record.headers).set(headerNames.origin, encodeOrigin(inputOriginOf(record))),
    }),
    /** The label or feature event of a step; a dead letter in its place where it would be too large for the log. */
    result: (record: ConsumedRecord, context: ResultContext, done: StepResult): OutputRecord => {
      const output =
        done.result.kind === 'label'
          ? label(record, context, done.result.result)
          : feature(record, resultFeature(options, record, context, done, done.result.vector));
      // The headers of events have room of their own (record-limits.ts): whoever sends a trace along loses no result by that.
      const bytes = recordBytes({ ...output, headers: noHeaders });
      if (bytes <= options.recordBytesMax) return output;
      const message = `the result of ${context.routeStep} has ${bytes} bytes; at most ${options.recordBytesMax} are allowed`;
      const error = extractError('LS_EXTRACT_OUTPUT_TOO_LARGE', message, { routeStep: context.routeStep });
      return dead(record, error, { task: context.step.task, attempt: 1, routeSteps: [context.routeStep], results: {} });
    },
    /** Sent to every family of the routes without running a model: its fold alone knows where the item is. */
    deletions: (record: ConsumedRecord, origin: Origin, input: InputEvent, routes: readonly Route[]): OutputRecord[] => {
      const steps = new Map<string, string>();
      for (const route of routes) {
        for (const step of route.steps) if (step.collection !== undefined) steps.set(familyOf(step), routeStepName(route, step));
      }
      return [...steps].map(([family, routeStep], index) => {
        const event = featureEvent(record, { input, origin, routeStep, family, index });
        return feature(record, { ...event, attributes: {}, deleted: true });
      });
    },
  };
}

/**
 * Only what labelstream writes itself carries an origin of ours: in an event topic anybody could send that header, and with it take the ids of
 * another record.
 */
function inputOriginOf(record: ConsumedRecord): Origin {
  if (isRerunTopic(record.topic)) return originOf(record);
  const { topic, incarnation, partition, sequence, appendTimeMs } = record;
  return { topic, incarnation, partition, sequence, appendTime: appendTimeMs };
}

function familyOf(step: RouteStep): string {
  return step.collection?.text ?? '';
}

function labelEvent(options: ExtractOptions, context: ResultContext, result: LabelEvent['result']): LabelEvent {
  const model = options.models.describe(context.step.model);
  const revision = { epoch: 0, number: BigInt(options.revisions.get(context.step.model) ?? 1) };
  const itemId = itemIdOf(context.input.event);
  return {
    id: labelEventId(context.origin, context.routeStep, '', '', revision),
    inputId: itemId,
    itemId,
    origin: context.origin,
    routeStep: context.routeStep,
    task: context.step.task,
    model: model.model,
    modelVersion: model.version,
    revision,
    result,
  };
}

function resultFeature(options: ExtractOptions, record: ConsumedRecord, context: ResultContext, done: StepResult, vector: Float32Array): FeatureEvent {
  const model = options.models.describe(context.step.model);
  return {
    ...featureEvent(record, { ...context, family: familyOf(context.step) }),
    collection: done.collection ?? '',
    model: model.model,
    modelVersion: model.version,
    vector: littleEndianBytes(vector),
    dimensions: vector.length,
    preview: previewOf(context.input, options.previewLengthMax),
  };
}

/** What a person recognises the item by: the start of a text, the path of a file where its producer tells it. */
function previewOf({ kind, event }: InputEvent, lengthMax: number): string | null {
  if (lengthMax === 0 || kind === 'record') return null;
  const whole = kind === 'text' ? event.text : Object.hasOwn(event.attributes, 'path') ? event.attributes['path'] : undefined;
  return whole?.slice(0, lengthMax).toWellFormed() ?? null;
}

type FeatureContext = Pick<ResultContext, 'input' | 'origin' | 'routeStep' | 'index'> & { readonly family: string };

/** A feature event without its features. */
function featureEvent(record: ConsumedRecord, { input, origin, routeStep, family, index }: FeatureContext): FeatureEvent {
  const itemId = itemIdOf(input.event);
  return {
    id: featureEventId(origin, routeStep, family),
    itemId,
    inputId: itemId,
    origin,
    read: { incarnation: record.incarnation, partition: record.partition, sequence: record.sequence, index },
    routeStep,
    family,
    collection: '',
    model: '',
    modelVersion: '',
    vector: Buffer.alloc(0),
    dimensions: 0,
    occurredAt: input.event.occurredAt,
    preview: null,
    attributes: input.event.attributes,
    deleted: false,
  };
}

/** float32 little-endian whatever the machine's order: the bytes are what vectors are compared by. */
function littleEndianBytes(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
