/**
 * CLUSTER: a fold over the one topic `features`, whose records alone decide what the clusters are (SEMANTICS.md, rules 9 to 21). Nothing here
 * reads a clock, and equal records give equal outputs and equal snapshots, however they are cut into batches.
 */
import { randomUUID } from 'node:crypto';
import type { Codec } from '../../codec/codec.ts';
import type { DecodedEvent } from '../../codec/event-names.ts';
import type { OpenSearch } from '../../clustering/neighbour-search.ts';
import { inSlices } from '../../clustering/sliced-work.ts';
import type { Clock } from '../../core/clock.ts';
import type { Define } from '../../core/events.generated.ts';
import type { ConsumedRecord, OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { createEventHeaders } from '../../pipeline/event-headers.ts';
import type { FoldPartition, FoldStage } from '../../pipeline/stage.ts';
import type { PartitionView } from './cluster-queries.ts';
import { canDecode, inTurns, turnOfTheLoop } from './between-records.ts';
import { createCollectionBudget } from './collection-budget.ts';
import { canonicalDefinition, checkDefinition, type DefinitionVerdict } from './definitions.ts';
import { foldRecord, type ClusterObserver } from './fold-record.ts';
import { clusterStageName } from './stage-name.ts';
import { closeCollections } from './families.ts';
import { createGenerationWork, type GenerationObserver } from './generation-work.ts';
import { hasPending } from './generations.ts';
import type { PartitionCounts } from './outputs.ts';
import { nextOwnRecord } from './own-records.ts';
import { createPreparedRecords, type PreparedRecord } from './prepared-records.ts';
import { createProjections, type FetchProjection, type Projections } from './projections.ts';
import { restoreState, snapshotState } from './snapshot.ts';
import { emptyState, type FeaturesPartition, type PartitionState } from './state.ts';
import { createPartitionView } from './view.ts';

export type ClusterStageOptions = {
  readonly codec: Codec;
  /** Of the topics that the stage writes to. */
  readonly partitionCounts: PartitionCounts;
  readonly observer?: ClusterObserver & GenerationObserver;
  /** For what is done beside the fold alone. Without it, a generation that could not be built is tried again when the partition is opened anew. */
  readonly clock?: Pick<Clock, 'sleep'> | undefined;
  /** What a collection searches with. Without it every vector is compared with every other, on the main thread. */
  readonly openSearch?: OpenSearch;
  /** Where fitted projections are. Without it, a partition with one stops. */
  readonly fetchProjection?: FetchProjection;
  /** What one collection may take of memory before it is frozen; absent: as much as there is. */
  readonly collectionBytesMax?: number | undefined;
  /** How much of a record is folded before the main loop goes on with others, about nanoseconds; absent: some milliseconds. */
  readonly sliceWork?: number;
  /** Names an opening of a partition, and no other one, to those that it appends records for. Random by default. */
  readonly createOwner?: () => string;
  /** The `ce_source` of what it makes; absent: no CloudEvents. */
  readonly cloudEventSource?: string | undefined;
};

export type ClusterPartition = FoldPartition & Required<Pick<FoldPartition, 'close'>> & {
  /** What people ask about clusters, answered from the state as it is at that moment. */
  readonly view: PartitionView;
  /** Between two records: a question to `view` while one is folded in slices would find half of it. Rejects with what a record failed with that may be there in part. */
  readonly ask: <Value>(question: (view: PartitionView) => Value) => Promise<Value>;
  /** Of the last record folded here; undefined where none was since the state was opened or restored. */
  readonly foldedSequence: () => bigint | undefined;
  /** What the fold would make of a definition if it were the next record: what a configuration may propose, and what not. */
  readonly checkDefinition: (family: string, definition: Define) => DefinitionVerdict;
  /** For the owner: a generation is pending, and nothing is known that would keep it from being swapped in. */
  readonly isBuilding: () => boolean;
};

export type ClusterStage = Omit<FoldStage, 'open'> & { readonly open: (partition: FeaturesPartition) => ClusterPartition };

export function createClusterStage(options: ClusterStageOptions): ClusterStage {
  const projections = createProjections(options.fetchProjection);
  return {
    kind: 'fold',
    name: clusterStageName,
    topics: [topics.features],
    open: (partition) => openPartition({ ...options, projections }, partition),
  };
}

type OpenedStage = ClusterStageOptions & { readonly projections: Projections };

function openPartition({ codec, partitionCounts, observer = {}, clock, collectionBytesMax, createOwner = randomUUID, sliceWork, openSearch, projections, cloudEventSource }: OpenedStage, partition: FeaturesPartition): ClusterPartition {
  const state = emptyState(partition, openSearch, projections);
  const generations = createGenerationWork(state, { observer, clock, collectionBytesMax });
  const budget = createCollectionBudget(state, collectionBytesMax);
  const owner = createOwner();
  const context = { codec, partitionCounts, observer, eventHeaders: createEventHeaders(cloudEventSource) };
  const view = createPartitionView(state);
  let isClosed = false;
  const { foldOne, whenFolded, requireWhole, foldedSequence } = foldRecords(context, state, sliceWork);
  const ahead = createPreparedRecords(codec, state, whenFolded);
  /** What was begun before may go on a while after the close, and open collections. */
  const unlessClosed = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } finally {
      if (isClosed) await closeCollections(state);
    }
  };
  const foldAll = async (records: readonly ConsumedRecord[], stopping?: AbortSignal): Promise<(readonly OutputRecord[])[]> => {
    const outputs: (readonly OutputRecord[])[] = [];
    for (const record of records) {
      if (isClosed || !(await canDecode(codec, record, stopping))) break;
      const prepared = ahead.take(record);
      const event = prepared?.event ?? (hasPending(state) ? eventOf(codec, record) : undefined);
      const mayFold = (await generations.beforeRecord(event, stopping)) && !isClosed;
      if (mayFold) outputs.push(await inTurns(await foldOne(record, prepared)));
      prepared?.searched?.giveUp();
      if (!mayFold) break;
      generations.afterRecord(event);
      budget.folded();
      await turnOfTheLoop();
    }
    return outputs;
  };
  return {
    fold: (records, stopping) => unlessClosed(foldAll(records, stopping)),
    prepare: ahead.prepare,
    discard: () => {
      ahead.discard();
      generations.rest();
    },
    snapshot: () => snapshotState(state),
    restore: (chunks) => unlessClosed(restoreState(state, chunks)),
    close: async () => {
      isClosed = true;
      projections.want(state, new Set());
      ahead.discard();
      // It is in the middle of them.
      await whenFolded();
      await closeCollections(state);
    },
    due: () => nextOwnRecord(state, { codec, generations, budget, owner }),
    watchDue: generations.watch,
    isBuilding: generations.isBuilding,
    view,
    ask: async (question) => {
      await whenFolded();
      requireWhole();
      return question(view);
    },
    foldedSequence,
    checkDefinition: (family, definition) => checkDefinition(family, state.families.get(family), canonicalDefinition(definition)),
  };
}

/** One record at a time, and what of it others may see. */
function foldRecords(context: Parameters<typeof foldRecord>[0], state: PartitionState, sliceWork: number | undefined) {
  let folding: Promise<Iterable<OutputRecord>> | undefined;
  let foldedSequence: bigint | undefined;
  let failure: { readonly error: unknown } | undefined;
  const fold = async (record: ConsumedRecord, prepared: PreparedRecord | undefined): Promise<Iterable<OutputRecord>> => {
    try {
      const outputs = await inSlices(foldRecord(context, state, record, prepared), undefined, undefined, sliceWork);
      // In the turn that lets others see it.
      foldedSequence = record.sequence;
      return outputs;
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      folding = undefined;
    }
  };
  return {
    foldOne: (record: ConsumedRecord, prepared: PreparedRecord | undefined) => (folding = fold(record, prepared)),
    whenFolded: async (): Promise<void> => {
      // Whoever asked for the fold hears of its failure.
      while (folding !== undefined) await folding.catch(() => undefined);
    },
    /** Throws what a record failed with that the state may hold a part of. */
    requireWhole: (): void => {
      if (failure !== undefined) throw failure.error;
    },
    foldedSequence: () => foldedSequence,
  };
}

/** The fold says itself, in the record's place, what becomes of one that cannot be decoded. */
function eventOf(codec: Codec, { value }: ConsumedRecord): DecodedEvent | undefined {
  try {
    return codec.decode(value);
  } catch {
    return undefined;
  }
}
