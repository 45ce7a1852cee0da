/** What a control record does: checked without changing anything (SEMANTICS.md, rule 19), then applied. */
import type { SlicedWork } from '../../clustering/sliced-work.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { ControlEvent, Define, Forget, LabelCluster, Swap } from '../../core/events.generated.ts';
import { itemHashOf } from '../../core/ids.ts';
import { canonicalDefinition, checkDefinition, checkParameters, generationOf, mergeParameters, parametersOf } from './definitions.ts';
import { requireKnownEngine } from './engine-version.ts';
import { askForGeneration, isPending, namesItsArtefact, noteRefit, swapGeneration, wantedGeneration } from './generations.ts';
import type { Item } from './item.ts';
import { changesOf, removeItem, type RecordChanges } from './record-changes.ts';
import { isOutdated, noteClaim } from './owner-terms.ts';
import type { FamilyState, PartitionState } from './state.ts';
import { bury } from './tombstones.ts';
import { rebuildAgeOrders } from './window.ts';

export type ControlVerdict =
  | { readonly kind: 'reject'; readonly error: LabelstreamError }
  /** Without a trace. */
  | { readonly kind: 'ignore' }
  | { readonly kind: 'accept'; readonly cause: string; readonly apply: (changes: RecordChanges) => SlicedWork<void> | void };

const nothing = (): void => undefined;

/**
 * Changes nothing.
 * @throws LS_CLUSTER_ENGINE_UNKNOWN
 */
export function checkControl(state: PartitionState, control: ControlEvent): ControlVerdict {
  const { action } = control;
  if (isOutdated(state, control)) return { kind: 'ignore' };
  if ('labelstream.v1.Tick' in action) return { kind: 'accept', cause: 'tick', apply: nothing };
  if ('labelstream.v1.Forget' in action) return checkForget(state, control.family, action['labelstream.v1.Forget']);
  if ('labelstream.v1.Define' in action) return checkDefine(state, control.family, action['labelstream.v1.Define']);
  if ('labelstream.v1.SetParameters' in action) {
    const set = action['labelstream.v1.SetParameters'];
    return withFamily(state, control.family, (family) => {
      const error = checkParameters(family, set);
      if (error !== undefined) return { kind: 'reject', error };
      const apply = (changes: RecordChanges): void => askForGeneration(changes, family, { ...wantedGeneration(family), parameters: mergeParameters(family, set) });
      return { kind: 'accept', cause: 'set-parameters', apply };
    });
  }
  if ('labelstream.v1.LabelCluster' in action) {
    const label = action['labelstream.v1.LabelCluster'];
    return withFamily(state, control.family, (family) => checkLabel(family, label));
  }
  if ('labelstream.v1.Refit' in action) {
    const refit = action['labelstream.v1.Refit'];
    return withFamily(state, control.family, (family) => ({ kind: 'accept', cause: 'refit', apply: (changes) => noteRefit(changes, family, refit) }));
  }
  if ('labelstream.v1.Swap' in action) {
    const swap = action['labelstream.v1.Swap'];
    return withFamily(state, control.family, (family) => checkSwap(family, swap));
  }
  if ('labelstream.v1.Freeze' in action) {
    const { collection, isFrozen } = action['labelstream.v1.Freeze'];
    return withFamily(state, control.family, (family) => ({ kind: 'accept', cause: 'freeze', apply: () => freezeCollection(family, collection, isFrozen) }));
  }
  if ('labelstream.v1.Claim' in action) {
    const { owner } = action['labelstream.v1.Claim'];
    return { kind: 'accept', cause: 'claim', apply: (changes) => noteClaim(state, owner, changes.sequence) };
  }
  const { version } = action['labelstream.v1.Engine'];
  requireKnownEngine(version);
  return { kind: 'accept', cause: 'engine', apply: () => void (state.engineVersion = Math.max(state.engineVersion, version)) };
}

function checkSwap(family: FamilyState, swap: Swap): ControlVerdict {
  if (isPending(family, swap) && !namesItsArtefact(family, swap)) {
    const { generation, artefactSha256 } = swap;
    const message = `The generation ${generation} of ${family.name} has ${family.pending.projectionSha256 ?? 'no'} projection; the swap names ${artefactSha256 === '' ? 'none' : artefactSha256.slice(0, 100)}.`;
    return { kind: 'reject', error: clusterError('LS_CLUSTER_SWAP_INVALID', message, { family: family.name, generation }) };
  }
  return { kind: 'accept', cause: 'swap', apply: (changes) => swapGeneration(changes, family, swap) };
}

/** One that is gone is as if it were not frozen: it begins anew. */
function freezeCollection({ collections }: FamilyState, name: string, isFrozen: boolean): void {
  const collection = collections.get(name);
  if (collection !== undefined) collection.isFrozen = isFrozen;
}

function withFamily(state: PartitionState, name: string | null, check: (family: FamilyState) => ControlVerdict): ControlVerdict {
  const family = name === null ? undefined : state.families.get(name);
  return family === undefined ? { kind: 'reject', error: familyUndeclared(name) } : check(family);
}

function familyUndeclared(name: string | null): LabelstreamError {
  const message = name === null ? 'The control record names no family.' : `No definition in the log declares ${name}.`;
  return clusterError('LS_CLUSTER_FAMILY_UNDECLARED', message, { family: name ?? '' });
}

function checkDefine(state: PartitionState, name: string | null, definition: Define): ControlVerdict {
  if (name === null) return { kind: 'reject', error: familyUndeclared(name) };
  const family = state.families.get(name);
  const verdict = checkDefinition(name, family, definition);
  if (verdict.kind === 'reject') return verdict;
  const canonical = canonicalDefinition(definition);
  const define = (changes: RecordChanges): void =>
    family === undefined ? declareFamily(state, name, canonical) : redefine(changes, family, canonical);
  return { kind: 'accept', cause: 'define', apply: verdict.kind === 'known' ? nothing : define };
}

function declareFamily(state: PartitionState, name: string, definition: Define): void {
  const parameters = parametersOf(definition);
  const family: FamilyState = {
    name,
    definition,
    parameters,
    projectionSha256: definition.projectionSha256,
    generation: generationOf(definition, parameters),
    pending: undefined,
    declaredModels: [{ model: definition.model, modelVersion: definition.modelVersion }],
    collections: new Map(),
    oldestMsMin: Infinity,
  };
  rebuildAgeOrders(family);
  state.families.set(name, family);
}

function redefine(changes: RecordChanges, family: FamilyState, definition: Define): void {
  const relabelsAll = definition.relabelOnMerge && !family.definition.relabelOnMerge;
  const { model, modelVersion } = definition;
  family.definition = definition;
  if (!family.declaredModels.some((declared) => declared.model === model && declared.modelVersion === modelVersion)) {
    family.declaredModels.push({ model, modelVersion });
  }
  rebuildAgeOrders(family);
  askForGeneration(changes, family, { parameters: parametersOf(definition), projectionSha256: definition.projectionSha256 });
  for (const collection of family.collections.values()) {
    const noted = changesOf(changes, family, collection);
    noted.byContent = true;
    noted.relabelsAll = relabelsAll;
  }
}

const clusterNameLengthMax = 1000;

function checkLabel(family: FamilyState, { collection: name, clusterId, name: label }: LabelCluster): ControlVerdict {
  const collection = family.collections.get(name);
  if (collection?.clustering.resolve(clusterId) === undefined) {
    const message = `The collection ${name} of ${family.name} has no cluster ${clusterId}.`;
    return { kind: 'reject', error: clusterError('LS_CLUSTER_CLUSTER_UNKNOWN', message, { family: family.name, collection: name, clusterId }) };
  }
  if (label.length > clusterNameLengthMax) {
    const message = `A name of ${label.length} characters for ${clusterId}: at most ${clusterNameLengthMax} are allowed.`;
    return { kind: 'reject', error: clusterError('LS_CLUSTER_NAME_INVALID', message, { family: family.name, clusterId }) };
  }
  const apply = (changes: RecordChanges): void => {
    const noted = changesOf(changes, family, collection);
    noted.byContent = true;
    noted.label = { clusterId, name: label };
  };
  return { kind: 'accept', cause: 'label-cluster', apply };
}

const itemHashPattern = /^[0-9a-f]{64}$/;

function checkForget(state: PartitionState, familyName: string | null, { itemHashes, through }: Forget): ControlVerdict {
  const wrong = itemHashes.find((hash) => !itemHashPattern.test(hash));
  if (wrong !== undefined) {
    const message = `${JSON.stringify(wrong.slice(0, 100))} is no SHA-256 in lower-case hexadecimal.`;
    return { kind: 'reject', error: clusterError('LS_CLUSTER_FORGET_INVALID', message) };
  }
  if (familyName !== null && !state.families.has(familyName)) return { kind: 'reject', error: familyUndeclared(familyName) };
  const ends = through.map(({ incarnation, partition, endSequence }) => ({ incarnation, partition, sequence: endSequence - 1n }));
  function* apply(changes: RecordChanges): SlicedWork<void> {
    const hashes = new Set(itemHashes);
    for (const hash of hashes) {
      yield perBurial;
      bury(state.tombstones, familyName, hash, ends, changes.timeMs);
    }
    for (const family of state.families.values()) {
      if (familyName === null || family.name === familyName) yield* forgetItems(changes, family, familyName, hashes, ends);
    }
  }
  return { kind: 'accept', cause: 'forget', apply };
}

type InputEndPosition = { readonly incarnation: string; readonly partition: number; readonly sequence: bigint };

/** About nanoseconds: a tombstone is made; an item is hashed, read and taken out. */
const perBurial = 2000;
const perForgotten = 20_000;

function* forgetItems(
  changes: RecordChanges,
  family: FamilyState,
  scope: string | null,
  hashes: ReadonlySet<string>,
  ends: readonly InputEndPosition[],
): SlicedWork<void> {
  for (const collection of family.collections.values()) {
    for (const item of collection.items.withHashes(hashes)) {
      yield perForgotten;
      if (isAfter(item, ends)) continue;
      // An input that no longer exists has no end in the forget; what came from it is forgotten as far as it is known.
      bury(changes.state.tombstones, scope, itemHashOf(item.itemId), [item.origin], changes.timeMs);
      removeItem(changes, family, collection, item.itemId, true);
    }
  }
}

/** Whether the live version came after the forget was issued, so that it is new. */
function isAfter({ origin }: Item, ends: readonly InputEndPosition[]): boolean {
  const end = ends.find(({ incarnation, partition }) => incarnation === origin.incarnation && partition === origin.partition);
  return end !== undefined && origin.sequence > end.sequence;
}
