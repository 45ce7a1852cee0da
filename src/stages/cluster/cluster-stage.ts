/**
 * CLUSTER: a fold over the one topic `features`, whose records alone decide what the clusters are (SEMANTICS.md, rules 9 to 21). Nothing here
 * reads a clock, and equal records give equal outputs and equal snapshots, however they are cut into batches.
 */
import type { Codec } from '../../codec/codec.ts';
import type { Define } from '../../core/events.generated.ts';
import { hashId } from '../../core/ids.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { createEventHeaders } from '../../pipeline/event-headers.ts';
import type { FoldPartition, FoldStage } from '../../pipeline/stage.ts';
import { canonicalDefinition, checkDefinition, type DefinitionVerdict } from './definitions.ts';
import { clusterStageName, foldRecord, type ClusterObserver } from './fold-record.ts';
import type { PartitionCounts } from './outputs.ts';
import { restoreState, snapshotState } from './snapshot.ts';
import { emptyState, type FeaturesPartition } from './state.ts';
import { createPartitionView, type PartitionView } from './view.ts';
import { earliestExpiryMs } from './window.ts';

export type ClusterStageOptions = {
  readonly codec: Codec;
  /** Of the topics that the stage writes to. */
  readonly partitionCounts: PartitionCounts;
  readonly observer?: ClusterObserver;
  /** The `ce_source` of what it makes; absent: no CloudEvents. */
  readonly cloudEventSource?: string | undefined;
};

export type ClusterPartition = FoldPartition & {
  /** What people ask about clusters, answered from the state as it is at that moment. */
  readonly view: PartitionView;
  /** What the fold would make of a definition if it were the next record: what a configuration may propose, and what not. */
  readonly checkDefinition: (family: string, definition: Define) => DefinitionVerdict;
};

export type ClusterStage = Omit<FoldStage, 'open'> & { readonly open: (partition: FeaturesPartition) => ClusterPartition };

export function createClusterStage(options: ClusterStageOptions): ClusterStage {
  return {
    kind: 'fold',
    name: clusterStageName,
    topics: [topics.features],
    open: (partition) => openPartition(options, partition),
  };
}

function openPartition({ codec, partitionCounts, observer = {}, cloudEventSource }: ClusterStageOptions, partition: FeaturesPartition): ClusterPartition {
  const state = emptyState(partition);
  const context = { codec, partitionCounts, observer, eventHeaders: createEventHeaders(cloudEventSource) };
  return {
    fold: async (records, stopping) => {
      const outputs: (readonly OutputRecord[])[] = [];
      for (const record of records) {
        if (!(await canDecode(codec, record, stopping))) break;
        outputs.push(foldRecord(context, state, record));
        await turnOfTheLoop();
      }
      return outputs;
    },
    snapshot: () => snapshotState(state),
    restore: (chunks) => restoreState(state, chunks),
    due: () => {
      // A reset waits for no record of others: the log may be empty.
      const atMs = state.pendingResets.length > 0 ? state.timeMs : earliestExpiryMs(state);
      return atMs === undefined ? undefined : { atMs, record: tick(codec, partition, atMs) };
    },
    view: createPartitionView(state),
    checkDefinition: (family, definition) => checkDefinition(family, state.families.get(family), canonicalDefinition(definition)),
  };
}

/** A schema that only a registry knows is waited for, as the log is: a record cannot be passed over. False when the signal aborted first. */
async function canDecode(codec: Codec, { value }: ConsumedRecord, signal = new AbortController().signal): Promise<boolean> {
  try {
    for (let wait = codec.prepareDecode(value, { signal }); wait !== undefined; wait = codec.prepareDecode(value, { signal })) await wait;
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** Lets the main loop answer others between two records, which may each take milliseconds. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function tick(codec: Codec, { topic, partition, incarnation }: FeaturesPartition, atMs: number): OutputRecord {
  const id = hashId('tick', incarnation, partition, atMs);
  const value = codec.encode('ControlEvent', { id, family: null, term: 0n, action: { 'labelstream.v1.Tick': {} } });
  return { topic, partition, key: null, value, headers: noHeaders };
}
