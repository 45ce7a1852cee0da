/** Labels and cluster events, with what a test says of them and the rest made up. */
import type { Assignment, ClusterEvent, LabelEvent, Origin } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';

export function classified(itemId: string, origin: Origin, label: string, fields: Partial<LabelEvent> = {}): LabelEvent {
  const result = { 'labelstream.v1.Classification': { labels: [{ label, score: 0.5 }] } };
  return { id: `${itemId} ${label}`, inputId: itemId, itemId, origin, routeStep: 'route/step', task: 'text-classification', model: 'm', modelVersion: '1', revision: { epoch: 0, number: 1n }, result, ...fields };
}

export function assigned(itemId: string, origin: Origin, revision: { readonly epoch: number; readonly number: bigint }, assignment: Partial<Assignment> = {}): LabelEvent {
  const { family = 'f', collection = family } = assignment;
  const result = { 'labelstream.v1.Assignment': { family, collection, generation: 'g', clusterId: null, role: 'core' as const, sequence: revision.number, ...assignment } };
  return { id: `${itemId} ${family} ${revision.epoch} ${revision.number}`, inputId: itemId, itemId, origin, routeStep: `${family}/cluster`, task: 'cluster-assignment', model: 'm', modelVersion: '1', revision, result };
}

export function changed(type: ClusterEvent['type'], at: { readonly epoch: number; readonly sequence: bigint }, fields: Partial<ClusterEvent> = {}): ClusterEvent {
  const nothing = { survivor: null, retired: [], minted: [], sizes: [], name: null, cause: null };
  return { id: `${type} ${at.epoch} ${at.sequence}`, family: 'f', collection: 'f', generation: 'g', index: 0, ...nothing, ...at, type, ...fields };
}

export function originAt(sequence: number, partition = 0): Origin {
  return { topic: topics.text, incarnation: 'i', partition, sequence: BigInt(sequence), appendTime: 1000 * sequence + partition };
}
