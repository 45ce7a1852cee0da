/**
 * What is noted of a repartition before anything is removed, so that it can be brought to its end however often it is cut short. The notes lie beside
 * the snapshots, as those do: `planned` from before the topic goes, `carried` once every snapshot of the new incarnation is there.
 *
 * The newest note counts. Another operator's takes the place of one by which nothing has happened yet, so that there is none missing in between; who
 * wrote the older one finds out before the next step that cannot be taken back.
 */
import type { LabelstreamError } from '../../core/errors/error.ts';
import { stateError } from '../../core/errors/state.ts';
import { topics } from '../../core/topics.ts';
import type { SnapshotKey, StateStore } from '../../pipeline/state-store.ts';
import { readWhole } from '../../pipeline/stored-snapshots.ts';
import type { TopicForm } from '../../pipeline/transport.ts';

export type RepartitionPlan = {
  /** A new one for each plan. */
  readonly owner: string;
  readonly formerIncarnation: string;
  /** What each former partition was folded to, by number; -1 where it never held a record. A snapshot stands there. */
  readonly foldedThrough: readonly bigint[];
  readonly partitionCount: number;
  readonly form: TopicForm;
};

export type PlanStage = 'planned' | 'carried';

function keyOf(group: string, stage: PlanStage): SnapshotKey {
  return { stage: `${group}.repartition-${stage}`, topic: topics.features, incarnation: 'pending', partition: 0 };
}

type PlanReader = Pick<StateStore, 'list' | 'readNewest'>;

/** Rejects with LS_STATE_REPARTITION_PENDING where another note got the place. */
export async function notePlan(stateStore: PlanReader & Pick<StateStore, 'write'>, group: string, stage: PlanStage, plan: RepartitionPlan): Promise<void> {
  const key = keyOf(group, stage);
  const text = JSON.stringify({ ...plan, foldedThrough: plan.foldedThrough.map(String) });
  const [newest = -1n] = await stateStore.list(key);
  await stateStore.write({ ...key, sequence: newest + 1n, position: '' }, [Buffer.from(text)]);
  await requireOwn(stateStore, group, stage, plan);
}

/** Rejects with LS_STATE_REPARTITION_PENDING where the plan is not the one that counts: it was given up, or carried out, or another took its place. */
export async function requireOwn(stateStore: PlanReader, group: string, stage: PlanStage, { owner }: RepartitionPlan): Promise<void> {
  if ((await readPlan(stateStore, group, stage))?.owner !== owner) throw repartitionPending();
}

export async function erasePlan(stateStore: Pick<StateStore, 'discardAbove'>, group: string, stage: PlanStage): Promise<void> {
  await stateStore.discardAbove(keyOf(group, stage), -1n);
}

/** Rejects with LS_STATE_REPARTITION_LOST where there is a note that cannot be read. */
export async function readPlan(stateStore: PlanReader, group: string, stage: PlanStage): Promise<RepartitionPlan | undefined> {
  const key = keyOf(group, stage);
  let [newest] = await stateStore.list(key);
  while (newest !== undefined) {
    const note = await stateStore.readNewest(key, newest, readWhole);
    if (note?.header.sequence === newest) return parsePlan(note.bytes);
    const [now] = await stateStore.list(key);
    if (now === newest) throw stateError('LS_STATE_REPARTITION_LOST', 'What was noted of a repartition that has begun cannot be read.');
    // Somebody erased it meanwhile, or noted another.
    newest = now;
  }
  return undefined;
}

function parsePlan(bytes: Buffer): RepartitionPlan {
  // The store has checked them, and only `notePlan` writes them.
  const plan = JSON.parse(bytes.toString()) as Omit<RepartitionPlan, 'foldedThrough'> & { readonly foldedThrough: readonly string[] };
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
