/**
 * Generations of a family as records of the log have them (SEMANTICS.md, rule 16). What a definition or new parameters ask for is in force at once
 * where there are no items. Else it is pending: the owner builds it in the background, appends `refit` when it begins and `swap` when it is ready,
 * and the record `swap` puts it in force, for every collection of the family in one record.
 */
import type { ClusteringParameters } from '../../clustering/clustering.ts';
import type { Refit, Swap } from '../../core/events.generated.ts';
import { generationOf } from './definitions.ts';
import { changesOf, removeItem, type RecordChanges } from './record-changes.ts';
import { compareText, itemCountOf, type FamilyState, type PartitionState, type PendingGeneration } from './state.ts';

export type WantedGeneration = Pick<PendingGeneration, 'parameters' | 'projectionSha256'>;

/** What was asked for last, in force or pending. */
export function wantedGeneration({ parameters, projectionSha256, pending }: FamilyState): WantedGeneration {
  return pending ?? { parameters, projectionSha256 };
}

/** To be called when the family's definition is the record's. What was pending before is given up, unless it is the same. */
export function askForGeneration({ state, sequence }: Pick<RecordChanges, 'state' | 'sequence'>, family: FamilyState, { parameters, projectionSha256 }: WantedGeneration): void {
  const generation = generationOf({ ...family.definition, projectionSha256 }, parameters);
  if (itemCountOf(family) === 0) {
    putInForce(state, family, { generation, parameters, projectionSha256 });
  } else if (generation === family.generation) {
    giveUpPending(state, family);
  } else if (generation !== family.pending?.generation) {
    giveUpPending(state, family);
    family.pending = { generation, parameters, projectionSha256, sequence, builtSinceMs: undefined };
  }
}

function giveUpPending({ builds }: PartitionState, family: FamilyState): void {
  family.pending = undefined;
  builds.get(family.name)?.close();
  builds.delete(family.name);
}

/** Of a family without items, or one whose collections are swapped with the same record. */
export function putInForce(state: PartitionState, family: FamilyState, { generation, parameters, projectionSha256 }: Omit<PendingGeneration, 'sequence' | 'builtSinceMs'>): void {
  giveUpPending(state, family);
  family.generation = generation;
  family.parameters = parametersIn(parameters);
  family.projectionSha256 = projectionSha256;
}

function parametersIn({ metric, eps, minPoints }: ClusteringParameters): ClusteringParameters {
  return { metric, eps, minPoints };
}

/** Of another generation than the pending one: a definition came in between. */
export function isPending(family: FamilyState | undefined, { generation }: Pick<Refit | Swap, 'generation'>): family is FamilyState & { readonly pending: PendingGeneration } {
  return family?.pending?.generation === generation;
}

/** A swap of the pending generation names the artefact that it was asked for with. */
export function namesItsArtefact({ pending }: FamilyState & { readonly pending: PendingGeneration }, { artefactSha256 }: Swap): boolean {
  return artefactSha256 === (pending.projectionSha256 ?? '');
}

export function hasPending({ families }: PartitionState): boolean {
  return families.values().some(({ pending }) => pending !== undefined);
}

/** The owner has begun. */
export function noteRefit({ timeMs }: Pick<RecordChanges, 'timeMs'>, family: FamilyState, refit: Refit): void {
  if (isPending(family, refit)) family.pending = { ...family.pending, builtSinceMs: timeMs };
}

/**
 * Puts the pending generation in force. Items that cannot be in it leave, and consumers are told so. Without effect where it is not the pending one, and
 * where no live item can be in it: then it stays pending, and the owner tries again once one can. Whoever folds the record has brought the build to
 * its end before.
 */
export function swapGeneration(changes: RecordChanges, family: FamilyState, swap: Swap): void {
  const { state } = changes;
  const build = state.builds.get(family.name);
  if (!isPending(family, swap) || build?.heldUpBy() !== undefined) return;
  const { pending } = family;
  for (const collection of family.collections.values()) {
    const built = build?.generation === pending.generation ? build.take(collection) : undefined;
    if (built === undefined) throw new Error(`The generation ${pending.generation} of ${family.name} is not built`);
    const noted = changesOf(changes, family, collection);
    noted.byContent = true;
    noted.successor = built;
    // The order in which they were come to is that of one process.
    noted.notCarried = [...built.withoutImage].sort(compareText);
    for (const itemId of noted.notCarried) removeItem(changes, family, collection, itemId, true);
  }
  putInForce(state, family, pending);
}
