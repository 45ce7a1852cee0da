/**
 * What one item is labelled now, as a pure function of the LabelEvents told of it: whatever their order, and however often each is told, the same remains.
 *
 * Of a route step and task counts the result of the highest origin, then revision. Of a family counts the assignment of the highest revision (SEMANTICS.md,
 * rule 3): a family holds an item once, so this is also right where several of its route steps have led there. What is told as removed takes the results
 * of the same input, and of those before it, with it; its mark stays for as long as the item's entry does, so that what is told again does not bring them back.
 */
import type { EventJson } from './event-json.ts';

/** A LabelEvent as JSON. */
export type LabelJson = {
  readonly id: string;
  readonly inputId: string;
  readonly itemId: string;
  readonly origin: OriginJson;
  readonly routeStep: string;
  readonly task: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly revision: { readonly epoch: number; readonly number: string };
  readonly result: { readonly [kind: string]: EventJson };
};

type OriginJson = { readonly topic: string; readonly incarnation: string; readonly partition: number; readonly sequence: string; readonly appendTime: number };

export type AssignmentJson = { readonly family: string; readonly collection: string; readonly generation: string; readonly clusterId: string | null; readonly role: string; readonly sequence: string };

export type ItemLabels = {
  /** By what they are of. Those told as removed are among them: as marks. */
  readonly labels: Readonly<Record<string, LabelJson>>;
  /** The highest of those whose removal was told. */
  readonly removed: OriginJson | null;
};

export const noLabels: ItemLabels = { labels: {}, removed: null };

export function assignmentOf({ result }: Pick<LabelJson, 'result'>): AssignmentJson | undefined {
  return result['labelstream.v1.Assignment'] as AssignmentJson | undefined;
}

/** The same object where the label says nothing new. */
export function withLabel(item: ItemLabels, label: LabelJson): ItemLabels {
  const assignment = assignmentOf(label);
  const place = assignment === undefined ? `result\n${label.routeStep}\n${label.task}` : `assignment\n${assignment.family}`;
  const known = item.labels[place];
  const removed = assignment?.role === 'removed' ? later(item.removed, label.origin) : item.removed;
  if (known !== undefined && isAtLeast(known, label)) return removed === item.removed ? item : withoutRemoved({ ...item, removed });
  return withoutRemoved({ labels: { ...item.labels, [place]: label }, removed });
}

/** Those that count, without marks, by route step and task. */
export function currentLabels({ labels }: ItemLabels): readonly LabelJson[] {
  const current = Object.values(labels).filter((label) => assignmentOf(label)?.role !== 'removed');
  const placeOf = (label: LabelJson): string => [label.routeStep, label.task, assignmentOf(label)?.family ?? ''].join('\n');
  return current.sort((left, right) => (placeOf(left) < placeOf(right) ? -1 : 1));
}

function withoutRemoved(item: ItemLabels): ItemLabels {
  const { removed } = item;
  if (removed === null) return item;
  const kept = Object.entries(item.labels).filter(([, label]) => assignmentOf(label) !== undefined || compareOrigins(label.origin, removed) > 0);
  return { labels: Object.fromEntries(kept), removed };
}

function isAtLeast(known: LabelJson, told: LabelJson): boolean {
  if (assignmentOf(known) !== undefined) return compareRevisions(known, told) >= 0;
  return (compareOrigins(known.origin, told.origin) || compareRevisions(known, told)) >= 0;
}

function compareRevisions({ revision: left }: LabelJson, { revision: right }: LabelJson): number {
  return left.epoch - right.epoch || compareNumbers(left.number, right.number);
}

/** Within a partition by sequence. Inputs of different partitions have no order but that of their times; the rest of it is there to have one. */
function compareOrigins(left: OriginJson, right: OriginJson): number {
  const isSamePartition = left.incarnation === right.incarnation && left.partition === right.partition;
  if (isSamePartition) return compareNumbers(left.sequence, right.sequence);
  return left.appendTime - right.appendTime || (left.incarnation === right.incarnation ? left.partition - right.partition : left.incarnation < right.incarnation ? -1 : 1);
}

function compareNumbers(left: string, right: string): number {
  const [one, other] = [BigInt(left), BigInt(right)];
  return one === other ? 0 : one < other ? -1 : 1;
}

function later(known: OriginJson | null, told: OriginJson): OriginJson {
  return known !== null && compareOrigins(known, told) >= 0 ? known : told;
}
