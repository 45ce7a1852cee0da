/**
 * What is noted of a repartition before anything is removed, so that it can be brought to its end however often it is cut short. The notes lie beside
 * the snapshots, as those do: `planned` from before the topic goes, `carried` once every snapshot of the new incarnation is there.
 */
import type { LabelstreamError } from '../../core/errors/error.ts';
import { stateError } from '../../core/errors/state.ts';
import { topics } from '../../core/topics.ts';
import type { SnapshotKey, StateStore } from '../../pipeline/state-store.ts';
import type { TopicForm } from '../../pipeline/transport.ts';

export type RepartitionPlan = {
  readonly formerIncarnation: string;
  /** What each former partition was folded to, by number; -1 where it never held a record. A snapshot stands there. */
  readonly foldedThrough: readonly bigint[];
  readonly partitionCount: number;
  readonly form: TopicForm;
};

export type PlanStage = 'planned' | 'carried';

const noteSequence = 0n;

function keyOf(group: string, stage: PlanStage): SnapshotKey {
  return { stage: `${group}.repartition-${stage}`, topic: topics.features, incarnation: 'pending', partition: 0 };
}

export async function notePlan(stateStore: Pick<StateStore, 'write'>, group: string, stage: PlanStage, plan: RepartitionPlan): Promise<void> {
  const text = JSON.stringify({ ...plan, foldedThrough: plan.foldedThrough.map(String) });
  await stateStore.write({ ...keyOf(group, stage), sequence: noteSequence, position: '' }, [Buffer.from(text)]);
}

export async function erasePlan(stateStore: Pick<StateStore, 'discardAbove'>, group: string, stage: PlanStage): Promise<void> {
  await stateStore.discardAbove(keyOf(group, stage), noteSequence - 1n);
}

/** Rejects with LS_STATE_REPARTITION_LOST where there is a note that cannot be read. */
export async function readPlan(stateStore: Pick<StateStore, 'list' | 'newest'>, group: string, stage: PlanStage): Promise<RepartitionPlan | undefined> {
  const key = keyOf(group, stage);
  if ((await stateStore.list(key)).length === 0) return undefined;
  const note = await stateStore.newest(key, noteSequence);
  if (note === undefined) throw stateError('LS_STATE_REPARTITION_LOST', 'What was noted of a repartition that has begun cannot be read.');
  const chunks: Buffer[] = [];
  for await (const chunk of note.chunks()) chunks.push(chunk);
  // The store has checked the bytes, and only `notePlan` writes them.
  const plan = JSON.parse(Buffer.concat(chunks).toString()) as Omit<RepartitionPlan, 'foldedThrough'> & { readonly foldedThrough: readonly string[] };
  return { ...plan, foldedThrough: plan.foldedThrough.map(BigInt) };
}

/** Nothing may work between the two incarnations. Rejects with LS_STATE_REPARTITION_PENDING. */
export async function requireNoPlan(stateStore: Pick<StateStore, 'list'>, group: string): Promise<void> {
  for (const stage of ['planned', 'carried'] as const) {
    if ((await stateStore.list(keyOf(group, stage))).length === 0) continue;
    throw repartitionPending();
  }
}

export function repartitionPending(): LabelstreamError {
  return stateError('LS_STATE_REPARTITION_PENDING', `A repartition of ${topics.features} is under way, or was cut short.`, { topic: topics.features });
}
