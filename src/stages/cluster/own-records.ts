/** What the owner of a partition appends for itself: ticks, what freezes collections, and the records of generations (SEMANTICS.md, rules 13, 16, 19 and 20). */
import type { Codec } from '../../codec/codec.ts';
import type { ControlEvent } from '../../core/events.generated.ts';
import { hashId } from '../../core/ids.ts';
import { noHeaders, type OutputRecord } from '../../core/records.ts';
import type { FoldPartition } from '../../pipeline/stage.ts';
import type { CollectionBudget } from './collection-budget.ts';
import type { GenerationWork } from './generation-work.ts';
import type { FeaturesPartition, PartitionState } from './state.ts';
import { earliestExpiryMs } from './window.ts';

type OwnRecord = NonNullable<ReturnType<FoldPartition['due']>>;

export type OwnRecordContext = {
  readonly codec: Pick<Codec, 'encode'>;
  readonly generations: Pick<GenerationWork, 'due'>;
  readonly budget: Pick<CollectionBudget, 'due'>;
  /** Of this opening of the partition. */
  readonly owner: string;
};

type Wanted = Pick<OwnRecord, 'atMs' | 'isUrgent'> & Pick<ControlEvent, 'family' | 'action'> & { readonly idParts: readonly (string | number)[] };

/** The claim goes first, and what it is for once it was folded: only then is its term known, and in force. */
export function nextOwnRecord(state: PartitionState, context: OwnRecordContext): OwnRecord | undefined {
  const wanted = wantedRecord(state, context);
  if (wanted === undefined) return undefined;
  const { codec, owner } = context;
  const { partition, claim } = state;
  const { incarnation, partition: number } = partition;
  const { atMs, isUrgent } = wanted;
  const when = { atMs, ...(isUrgent === undefined ? {} : { isUrgent }) };
  if (claim?.owner !== owner) {
    const id = hashId('claim', incarnation, number, owner, claim?.term ?? '');
    return { ...when, record: ownRecord(codec, partition, { id, family: null, term: 0n, action: { 'labelstream.v1.Claim': { owner } } }) };
  }
  const { term } = claim;
  const { family, action, idParts } = wanted;
  return { ...when, record: ownRecord(codec, partition, { id: hashId(...idParts, incarnation, number, term), family, term, action }) };
}

function wantedRecord(state: PartitionState, { generations, budget }: OwnRecordContext): Wanted | undefined {
  // No record of others settles it, and its time has come.
  const urgent = { atMs: 0, isUrgent: true };
  const over = budget.due();
  if (over !== undefined) {
    const { family, collection, isFrozen } = over;
    const action = { 'labelstream.v1.Freeze': { collection, isFrozen } };
    return { ...urgent, family, action, idParts: ['freeze', family, collection, String(isFrozen), String(state.timeMs)] };
  }
  const ofGeneration = generations.due();
  if (ofGeneration !== undefined) {
    const { family, generation, action } = ofGeneration;
    return { ...urgent, family, action, idParts: ['generation', family, generation, Object.keys(action).join()] };
  }
  // A reset waits for no record of others: the log may be empty.
  const atMs = state.pendingResets.length > 0 ? state.timeMs : earliestExpiryMs(state);
  return atMs === undefined ? undefined : { atMs, family: null, action: { 'labelstream.v1.Tick': {} }, idParts: ['tick', atMs] };
}

function ownRecord(codec: Pick<Codec, 'encode'>, { topic, partition }: FeaturesPartition, control: ControlEvent): OutputRecord {
  const key = control.family === null ? null : Buffer.from(control.family);
  return { topic, partition, key, value: codec.encode('ControlEvent', control), headers: noHeaders };
}
