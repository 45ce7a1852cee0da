/**
 * Folds one record into the state of its partition: decode, check without changing anything, then change (SEMANTICS.md, rules 9, 10 and 19).
 * Every record that is not refused moves the partition's time and lets windows and tombstones expire; one that is refused leaves no trace.
 */
import type { SlicedWork } from '../../clustering/sliced-work.ts';
import type { Codec } from '../../codec/codec.ts';
import type { DecodedEvent } from '../../codec/event-names.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { Origin } from '../../core/events.generated.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import type { ConsumedRecord, OutputRecord } from '../../core/records.ts';
import { deadLetter } from '../../pipeline/dead-letter.ts';
import type { EventHeaders } from '../../pipeline/event-headers.ts';
import { headerNames } from '../../pipeline/headers.ts';
import { checkControl } from './fold-control.ts';
import { applyFeature, checkFeature, type DropReason } from './fold-feature.ts';
import { collectionOutputs, resetOutputs, type FoldedCause, type PartitionCounts } from './outputs.ts';
import type { PreparedRecord } from './prepared-records.ts';
import { enforceWindows, inCollectionOrder, type CollectionChanges, type RecordChanges } from './record-changes.ts';
import { settleCollection, type SettledCollection } from './settle.ts';
import { clusterStageName } from './stage-name.ts';
import { tombstoneRetentionOf, type PartitionState } from './state.ts';
import { pruneTombstones } from './tombstones.ts';

export type ClusterObserver = {
  /** A feature without effect, dropped silently as the rules ask for. */
  readonly dropped?: (reason: DropReason) => void;
  /** Items that a new generation cannot hold have left (rule 16). @param error LS_CLUSTER_ITEMS_NOT_CARRIED. */
  readonly notCarried?: (error: LabelstreamError) => void;
};

export type FoldContext = {
  readonly codec: Pick<Codec, 'encode' | 'decode' | 'schemaIdOf'>;
  readonly partitionCounts: PartitionCounts;
  readonly eventHeaders: EventHeaders;
  readonly observer: ClusterObserver;
};

type Verdict =
  | { readonly kind: 'ignore' }
  | { readonly kind: 'reject'; readonly error: LabelstreamError; readonly origin?: Origin }
  | { readonly kind: 'accept'; readonly cause: string; readonly apply: (changes: RecordChanges) => SlicedWork<void> | void; readonly isFeature?: true };

/**
 * Folds the record into the state in slices, and gives its outputs, which may be one for each item of a large cluster, as they are taken: all of them
 * before the next record is folded.
 *
 * @param prepared what is known of the record; it gives the same without.
 * @throws LS_CLUSTER_MODEL_UNDECLARED, LS_CLUSTER_ENGINE_UNKNOWN, and whatever is not the record's fault: the partition stops.
 */
export function* foldRecord(context: FoldContext, state: PartitionState, record: ConsumedRecord, prepared?: PreparedRecord): SlicedWork<Iterable<OutputRecord>> {
  const timeMs = Math.max(state.timeMs, record.appendTimeMs);
  const verdict = checkRecord(context, state, record, timeMs, prepared);
  if (verdict.kind === 'ignore') return [];
  if (verdict.kind === 'reject') return [deadLetterOf(context, record, verdict.error, verdict.origin)];
  state.timeMs = timeMs;
  pruneTombstones(state.tombstones, tombstoneRetentionOf(state), timeMs);
  const changes: RecordChanges = { state, sequence: record.sequence, timeMs, ...causesOf(verdict), byCollection: new Map() };
  const applying = verdict.apply(changes);
  if (applying !== undefined) yield* applying;
  yield* enforceWindows(changes);
  const { pendingResets: resets } = state;
  state.pendingResets = [];
  const cause = { sequence: record.sequence, headers: record.headers, itemId: verdict.isFeature === true ? verdict.cause : undefined, resets };
  const settled: SettledCollection[] = [];
  for (const noted of inCollectionOrder(changes)) {
    if (noted.notCarried.length > 0) context.observer.notCarried?.(itemsNotCarried(noted));
    settled.push(yield* settleCollection(changes, noted));
  }
  return outputsOf(context, state, cause, settled);
}

function* outputsOf(context: FoldContext, state: PartitionState, cause: FoldedCause, settled: readonly SettledCollection[]): Iterable<OutputRecord> {
  yield* resetOutputs(context, state, cause);
  for (const collection of settled) yield* collectionOutputs(context, state, cause, collection);
}

const itemsNamed = 20;

function itemsNotCarried({ family, collection, notCarried }: CollectionChanges): LabelstreamError {
  const named = `${notCarried.slice(0, itemsNamed).join(', ')}${notCarried.length > itemsNamed ? ', ...' : ''}`;
  const message = `${notCarried.length} items of ${collection.name} have no image in the generation ${family.generation}, and have left: ${named}.`;
  const details = { family: family.name, collection: collection.name, generation: family.generation, itemCount: notCarried.length };
  return clusterError('LS_CLUSTER_ITEMS_NOT_CARRIED', message, details);
}

/** The cause of what a record lets expire in collections that it does not concern is not its item. */
function causesOf({ cause, isFeature = false }: { readonly cause: string; readonly isFeature?: boolean }) {
  return { cause, causeOfExpiry: isFeature ? 'window' : cause };
}

function checkRecord(context: FoldContext, state: PartitionState, record: ConsumedRecord, timeMs: number, prepared: PreparedRecord | undefined): Verdict {
  const decoded = prepared?.event ?? decode(context, record);
  if (decoded instanceof LabelstreamError) return { kind: 'reject', error: decoded };
  switch (decoded.schema) {
    case 'ControlEvent':
      return checkControl(state, decoded.event);
    case 'FeatureEvent': {
      const feature = decoded.event;
      const verdict = checkFeature(state, feature, timeMs);
      if (verdict.kind === 'reject') return { ...verdict, origin: feature.origin };
      const apply = (changes: RecordChanges): void => {
        if (verdict.kind === 'drop') context.observer.dropped?.(verdict.reason);
        applyFeature(changes, feature, verdict, prepared?.searched);
      };
      return { kind: 'accept', cause: feature.itemId, apply, isFeature: true };
    }
    default: {
      const message = `The features topic holds a ${decoded.schema}.`;
      return { kind: 'reject', error: clusterError('LS_CLUSTER_RECORD_UNEXPECTED', message, { schema: decoded.schema }) };
    }
  }
}

/** What a registry says of an id may change, and whether there is one, too: no pure check of the record, so the partition stops (rule 19). */
const undecided: ReadonlySet<string> = new Set(['LS_REGISTRY_SCHEMA_UNKNOWN', 'LS_REGISTRY_NOT_CONFIGURED']);

/** The event, or why the record holds none. Throws what is not the record's fault. */
function decode({ codec }: FoldContext, record: ConsumedRecord): DecodedEvent | LabelstreamError {
  try {
    return codec.decode(record.value);
  } catch (error) {
    if (error instanceof LabelstreamError && error.description.cause === 'input' && !undecided.has(error.code)) return error;
    throw error;
  }
}

function deadLetterOf(
  { codec, partitionCounts }: FoldContext,
  record: ConsumedRecord,
  error: LabelstreamError,
  origin: Origin | undefined,
): OutputRecord {
  const schemaId = codec.schemaIdOf(record.value);
  const redriveCause = record.headers.get(headerNames.redriveCause)?.toString();
  const failure = {
    code: error.code,
    message: error.message,
    stage: clusterStageName,
    attempt: 1 + attemptsBefore(record),
    ...(schemaId === undefined ? {} : { schemaId }),
    ...(origin === undefined ? {} : { origin }),
    ...(redriveCause === undefined ? {} : { redriveCause }),
  };
  return deadLetter(record, failure, partitionForKey(record.key ?? Buffer.alloc(0), partitionCounts.deadLetters));
}

/** Of a feature whose input was redriven. */
function attemptsBefore({ headers }: ConsumedRecord): number {
  const attempts = Number(headers.get(headerNames.runAttempts)?.toString() ?? 0);
  return Number.isSafeInteger(attempts) && attempts > 0 ? attempts : 0;
}
