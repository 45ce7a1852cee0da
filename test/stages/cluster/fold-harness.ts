/** A features partition in the hand of a test: records go in by content, events come out decoded. */
import { openCodec } from '../../../src/codec/codec.ts';
import { vectorBytes } from '../../../src/clustering/distance.ts';
import type { ClusterEvent, ControlEvent, Define, FeatureEvent, LabelEvent, Origin } from '../../../src/core/events.generated.ts';
import { featureEventId } from '../../../src/core/ids.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage, type ClusterPartition, type ClusterStage, type ClusterStageOptions } from '../../../src/stages/cluster/cluster-stage.ts';
import type { DropReason } from '../../../src/stages/cluster/fold-feature.ts';

export const codec = await openCodec();
export const family = 'news-${language}';
export const partitionCounts = { labels: 3, clusterEvents: 2, deadLetters: 2 };
export const features = { topic: 'features', partition: 1, incarnation: 'features-1' };

/** Two-dimensional, euclidean: neighbours at 1 or nearer, three make a core. */
const definition: Define = {
  version: 1,
  model: 'encoder',
  modelVersion: '1',
  dimensions: 2,
  projectionSha256: null,
  metric: 'euclidean',
  eps: 1,
  minPoints: 3,
  windowItems: null,
  windowAgeMs: null,
  windowAgeBy: 'append',
  maxCollections: 10,
  relabelOnMerge: false,
  tombstoneRetentionMs: null,
};

export type FeatureContent = {
  readonly item: string;
  readonly at?: readonly number[];
  /** Sequence of the origin, and of the read unless that is given. */
  readonly origin: number;
  readonly originPartition?: number;
  readonly appendTime?: number;
  readonly read?: { readonly incarnation?: string; readonly sequence?: number; readonly index?: number };
} & Partial<Pick<FeatureEvent, 'collection' | 'family' | 'deleted' | 'routeStep' | 'model' | 'modelVersion' | 'occurredAt' | 'preview'>>;

export function originAt(sequence: number, { partition = 0, appendTime = 1000 } = {}): Origin {
  return { topic: 'text.events', incarnation: 'text-1', partition, sequence: BigInt(sequence), appendTime };
}

export function feature(content: FeatureContent): FeatureEvent {
  const { item, at = [], origin, originPartition = 0, appendTime = 1000, read = {}, ...rest } = content;
  const from = originAt(origin, { partition: originPartition, appendTime });
  const routeStep = rest.routeStep ?? 'texts/embed';
  const { sequence = origin, index = 0, incarnation = from.incarnation } = read;
  return {
    id: featureEventId(from, routeStep, rest.family ?? family),
    itemId: `test/${item}`,
    inputId: item,
    origin: from,
    read: { incarnation, partition: originPartition, sequence: BigInt(sequence), index },
    family,
    collection: rest.deleted === true ? '' : 'news-en',
    model: definition.model,
    modelVersion: definition.modelVersion,
    vector: Buffer.from(vectorBytes(Float32Array.from(at))),
    dimensions: at.length,
    occurredAt: appendTime,
    preview: `text of ${item}`,
    attributes: {},
    deleted: false,
    ...rest,
    routeStep,
  };
}

export type Action = ControlEvent['action'];

export function control(action: Action, familyName: string | null = family): ControlEvent {
  return { id: 'control', family: familyName, term: 0n, action };
}

export function define(changes: Partial<Define> = {}, familyName: string | null = family): ControlEvent {
  return control({ 'labelstream.v1.Define': { ...definition, ...changes } }, familyName);
}

export const tick = control({ 'labelstream.v1.Tick': {} }, null);

export type Told = {
  readonly labels: readonly LabelEvent[];
  readonly clusterEvents: readonly ClusterEvent[];
  readonly deadLetters: readonly OutputRecord[];
};

export function decodeOutputs(outputs: readonly OutputRecord[]): Told {
  const of = (topic: string): readonly OutputRecord[] => outputs.filter((output) => output.topic === topic);
  return {
    labels: of('labels').map(({ value }) => codec.decodeAs('LabelEvent', value)),
    clusterEvents: of('cluster-events').map(({ value }) => codec.decodeAs('ClusterEvent', value)),
    deadLetters: of('dead-letters'),
  };
}

export function assignmentIn({ result }: LabelEvent) {
  if (!('labelstream.v1.Assignment' in result)) throw new Error('no assignment');
  return result['labelstream.v1.Assignment'];
}

/** "item role cluster", in the order told. */
export function assignmentsIn({ labels }: Told): readonly string[] {
  return labels.map((label) => {
    const { role, clusterId } = assignmentIn(label);
    return `${label.itemId} ${role} ${clusterId ?? '-'}`;
  });
}

export function codesOf({ deadLetters }: Told): readonly (string | undefined)[] {
  return deadLetters.map(({ headers }) => headers.get('labelstream.error.code')?.toString());
}

export type Incoming = {
  readonly event?: FeatureEvent | ControlEvent;
  readonly value?: Buffer;
  readonly appendTimeMs?: number;
};

export function encodeIncoming(event: FeatureEvent | ControlEvent): Buffer {
  return 'action' in event ? codec.encode('ControlEvent', event) : codec.encode('FeatureEvent', event);
}

export function recordAt(sequence: number, { event, value, appendTimeMs = 1000 }: Incoming): ConsumedRecord {
  return {
    ...features,
    sequence: BigInt(sequence),
    nextPosition: String(sequence + 1),
    appendTimeMs,
    key: Buffer.from(family),
    value: value ?? (event === undefined ? Buffer.alloc(0) : encodeIncoming(event)),
    headers: noHeaders,
  };
}

export type FoldHarness = {
  readonly stage: ClusterStage;
  readonly partition: ClusterPartition;
  readonly drops: DropReason[];
  /** Folds one record with the next sequence. */
  readonly fold: (event: FeatureEvent | ControlEvent | Buffer, appendTimeMs?: number) => Promise<Told>;
  readonly insert: (content: FeatureContent, appendTimeMs?: number) => Promise<Told>;
  readonly snapshot: () => Buffer;
};

export function openFold(options: Partial<ClusterStageOptions> = {}): FoldHarness {
  const drops: DropReason[] = [];
  const stage = createClusterStage({ codec, partitionCounts, createOwner: () => 'owner', ...options, observer: { ...options.observer, dropped: (reason) => drops.push(reason) } });
  const partition = stage.open(features);
  let sequence = 0;
  const fold: FoldHarness['fold'] = async (event, appendTimeMs = 1000) => {
    const incoming = Buffer.isBuffer(event) ? { value: event, appendTimeMs } : { event, appendTimeMs };
    const [outputs] = await partition.fold([recordAt(sequence++, incoming)]);
    return decodeOutputs(outputs!);
  };
  return {
    stage,
    partition,
    drops,
    fold,
    insert: (content, appendTimeMs) => fold(feature(content), appendTimeMs),
    snapshot: () => Buffer.concat([...partition.snapshot()]),
  };
}

/** The urgent record that is due next, once there is one: the owner's, while it builds a generation. What it claims the partition with is folded before. */
export async function urgentRecord({ partition, fold }: Pick<FoldHarness, 'partition' | 'fold'>): Promise<ControlEvent> {
  for (;;) {
    const own = await urgentOf(partition);
    if (!('labelstream.v1.Claim' in own.action)) return own;
    await fold(own);
  }
}

export async function urgentOf(partition: ClusterPartition): Promise<ControlEvent> {
  for (;;) {
    const changed = new Promise<void>((resolve) => partition.watchDue!(resolve));
    const due = partition.due();
    if (due?.isUrgent === true) return codec.decodeAs('ControlEvent', due.record.value);
    await changed;
  }
}

/** Folds what the owner appends, up to and with the swap. @returns what the swap tells. */
export async function swapPending(harness: FoldHarness, appendTimeMs?: number): Promise<Told> {
  for (;;) {
    const own = await urgentRecord(harness);
    const told = await harness.fold(own, appendTimeMs);
    if ('labelstream.v1.Swap' in own.action) return told;
  }
}

/** A declared family whose collection news-en holds items at these places, `a`, `b`, `c` and so on, of origins 0, 1, 2 ... */
export async function openWithItems(places: readonly (readonly number[])[], changes: Partial<Define> = {}, options: Partial<ClusterStageOptions> = {}): Promise<FoldHarness> {
  const harness = openFold(options);
  await harness.fold(define(changes));
  for (const [index, at] of places.entries()) {
    await harness.insert({ item: String.fromCharCode('a'.charCodeAt(0) + index), at, origin: index });
  }
  return harness;
}

export async function* asChunks(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}
