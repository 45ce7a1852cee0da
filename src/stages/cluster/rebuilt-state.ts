/**
 * The state with which a partition begins anew when the beginning of its log is lost (SEMANTICS.md, rule 17): no items, under a new epoch, and
 * consumers yet to be told that what they know is void. Nothing retained would be accepted without definitions, which were in the lost part:
 * those of the former state stay, with the proposals of the configuration on top, and models that retained features came from count as
 * declared. What was forgotten stays forgotten. The marks go: of what is retained, everything is wanted, repeats of lost records included.
 */
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { Define } from '../../core/events.generated.ts';
import { checkControl } from './fold-control.ts';
import { putInForce } from './generations.ts';
import type { RecordChanges } from './record-changes.ts';
import { compareText, emptyState, type CollectionName, type DeclaredModel, type FeaturesPartition, type PartitionState } from './state.ts';

export type Beginning = {
  readonly partition: FeaturesPartition;
  readonly epoch: number;
  readonly former: PartitionState | undefined;
  readonly resets: readonly CollectionName[];
  readonly modelsUsed: readonly (DeclaredModel & { readonly family: string })[];
};

/** @param definitions proposals of the configuration for families of the partition. `refused`: those that the fold would refuse. */
export function rebuiltState(
  { partition, epoch, former, resets, modelsUsed }: Beginning,
  definitions: ReadonlyMap<string, Define>,
): { readonly state: PartitionState; readonly refused: readonly LabelstreamError[] } {
  const empty = emptyState(partition);
  const state: PartitionState = { ...empty, epoch, engineVersion: former?.engineVersion ?? empty.engineVersion, timeMs: former?.timeMs ?? empty.timeMs, tombstones: former?.tombstones ?? empty.tombstones };
  state.pendingResets = [...resets].sort((left, right) => compareText(left.family, right.family) || compareText(left.collection, right.collection));
  for (const family of former?.families.values() ?? []) {
    state.families.set(family.name, { ...family, declaredModels: [...family.declaredModels], collections: new Map(), oldestMsMin: Infinity });
    const emptied = state.families.get(family.name);
    // There is nothing left that would have to be built for it.
    if (emptied?.pending !== undefined) putInForce(state, emptied, emptied.pending);
  }
  const refused: LabelstreamError[] = [];
  for (const [family, definition] of definitions) {
    const verdict = checkControl(state, { id: '', family, term: 0n, action: { 'labelstream.v1.Define': definition } });
    if (verdict.kind === 'reject') refused.push(verdict.error);
    // There is nothing to do in slices, since there are no items.
    else if (verdict.kind === 'accept') verdict.apply(withoutRecord(state));
  }
  const models = [...modelsUsed].sort((left, right) => compareText(left.model, right.model) || compareText(left.modelVersion, right.modelVersion));
  for (const { family, model, modelVersion } of models) {
    const declared = state.families.get(family)?.declaredModels;
    if (declared?.some((known) => known.model === model && known.modelVersion === modelVersion) === false) declared.push({ model, modelVersion });
  }
  return { state, refused };
}

/** There are no items that a definition could change anything of. */
function withoutRecord(state: PartitionState): RecordChanges {
  return { state, sequence: 0n, timeMs: state.timeMs, cause: 'define', causeOfExpiry: 'define', byCollection: new Map() };
}
