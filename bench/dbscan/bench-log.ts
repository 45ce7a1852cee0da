/** The embedded log that the engine is measured on: what is in it, and how it is opened. */
import { join } from 'node:path';
import { openCodec } from '../../src/codec/codec.ts';
import type { ClusteringParameters } from '../../src/clustering/clustering.ts';
import type { Define, FeatureEvent, Origin } from '../../src/core/events.generated.ts';
import { featureEventId } from '../../src/core/ids.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import type { Transport } from '../../src/pipeline/transport.ts';
import { createLogTransport } from '../../src/transports/log/log-transport.ts';
import { openLog } from '../../src/transports/log/open-log.ts';
import { positionOf } from '../../src/transports/log/positions.ts';
import { defaultLogLimits } from '../../src/transports/log/segment-log-store.ts';
import { openPoints, type PointsFile } from './points.ts';

export type LogPlan = {
  readonly directory: string;
  readonly points: string;
  readonly dimensions: number;
  readonly parameters: ClusteringParameters;
  /** In the order of the log: points that come in, and points that leave. */
  readonly parts: readonly LogPart[];
  /** Up to the end of how many parts the group has it behind it: the engine folds them without telling anything. */
  readonly committedParts: number;
  readonly group: string;
};

export type LogPart = { readonly insert: { readonly from: number; readonly to: number } } | { readonly remove: readonly number[] };

const partition = 0;
const family = 'bench';
const [model, modelVersion, routeStep] = ['bench', '1', 'bench/embed'];
const topicsOfStage = [topics.features, topics.labels, topics.clusterEvents, topics.deadLetters];
const recordsPerAppend = 1_000;
/** Some date; ages play no part. */
const appendTime = 1_700_000_000_000;

export function itemIdOf(point: number): string {
  return `bench/${String(point)}`;
}

export async function openBenchLog(directory: string): Promise<Transport> {
  const store = await openLog({
    directory: join(directory, 'log'),
    role: 'owner-required',
    fileSystem: createNodeFileSystem(),
    clock: systemClock,
    random: Math.random,
    newIncarnation: () => Math.random().toString(36).slice(2, 10),
    limits: defaultLogLimits,
  });
  return createLogTransport(store);
}

/** Element i: the sequence after the last record of part i. The definition is the first record. */
export async function fillLog(plan: LogPlan): Promise<readonly bigint[]> {
  const transport = await openBenchLog(plan.directory);
  const points = await openPoints(plan.points, plan.dimensions);
  try {
    await transport.createTopics(topicsOfStage.map((topic) => ({ topic, partitionCount: 1 })));
    const ends: bigint[] = [];
    let next = 0n;
    let waiting: OutputRecord[] = [];
    for await (const record of recordsOf(plan, points, ends, () => next)) {
      waiting.push(record);
      next += 1n;
      if (waiting.length < recordsPerAppend) continue;
      await transport.append(waiting);
      waiting = [];
    }
    if (waiting.length > 0) await transport.append(waiting);
    if (plan.committedParts > 0) await commit(transport, plan.group, ends[plan.committedParts - 1] ?? 0n);
    return ends;
  } finally {
    await points.close();
    await transport.close();
  }
}

async function commit(transport: Transport, group: string, end: bigint): Promise<void> {
  const checkpoint = { position: positionOf(end), sequence: end - 1n, outputsSent: 0 };
  await transport.resetGroup(group, [{ topic: topics.features, partition, checkpoint }]);
}

async function* recordsOf(plan: LogPlan, points: PointsFile, ends: bigint[], next: () => bigint): AsyncGenerator<OutputRecord> {
  const codec = await openCodec();
  const record = (value: Buffer): OutputRecord => ({ topic: topics.features, partition, key: Buffer.from(family), value, headers: noHeaders });
  const action = { 'labelstream.v1.Define': definitionOf(plan) };
  yield record(codec.encode('ControlEvent', { id: 'define', family, term: 0n, action }));
  for (const part of plan.parts) {
    if ('remove' in part) {
      for (const point of part.remove) yield record(codec.encode('FeatureEvent', featureOf(point, next(), 0, Buffer.alloc(0))));
    } else {
      const { from, to } = part.insert;
      const rowBytes = plan.dimensions * Float32Array.BYTES_PER_ELEMENT;
      for (let first = from; first < to; first += recordsPerAppend) {
        const end = Math.min(first + recordsPerAppend, to);
        const block = await points.bytes(first, end);
        for (let point = first; point < end; point += 1) {
          const vector = block.subarray((point - first) * rowBytes, (point - first + 1) * rowBytes);
          yield record(codec.encode('FeatureEvent', featureOf(point, next(), plan.dimensions, vector)));
        }
      }
    }
    ends.push(next());
  }
}

/** @param dimensions 0: the point leaves. */
function featureOf(point: number, sequence: bigint, dimensions: number, vector: Buffer): FeatureEvent {
  const origin: Origin = { topic: topics.text, incarnation: 'bench', partition, sequence, appendTime };
  const deleted = dimensions === 0;
  return {
    id: featureEventId(origin, routeStep, family),
    itemId: itemIdOf(point),
    inputId: String(point),
    origin,
    read: { incarnation: origin.incarnation, partition, sequence, index: 0 },
    routeStep,
    family,
    collection: deleted ? '' : family,
    model,
    modelVersion,
    vector,
    dimensions,
    occurredAt: appendTime,
    preview: null,
    attributes: {},
    deleted,
  };
}

function definitionOf({ dimensions, parameters }: LogPlan): Define {
  return {
    version: 1, model, modelVersion, dimensions, projectionSha256: null, ...parameters,
    windowItems: null, windowAgeMs: null, windowAgeBy: 'append', maxCollections: 1, relabelOnMerge: false, tombstoneRetentionMs: null,
  };
}
