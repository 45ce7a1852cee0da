/**
 * What becomes of a feature: refused by a pure check (SEMANTICS.md, rule 19), dropped because it was here before or something newer is (rules
 * 12 and 21), or applied.
 */
import { vectorFromBytes } from '../../clustering/distance.ts';
import { itemHashOf } from '../../core/ids.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { FeatureEvent } from '../../core/events.generated.ts';
import { checkModel } from './definitions.ts';
import { hasRoomForCollection } from './families.ts';
import { isAtOrBelowMark, raiseMark } from './marks.ts';
import { createKnownImages, imageOf, projectionOf, type ImagedVector } from './projected-vectors.ts';
import { insertItem, removeItem, type RecordChanges } from './record-changes.ts';
import type { SearchedVector } from './searched-vector.ts';
import { liveItem, tombstoneRetentionOf, type FamilyState, type PartitionState } from './state.ts';
import { bury, hasTombstones, isBuried } from './tombstones.ts';

/** `duplicate`: at or below the mark; `buried`: forgotten or deleted; `superseded`: the live item is as new or newer. */
export type DropReason = 'duplicate' | 'buried' | 'superseded';

export type FeatureVerdict =
  | { readonly kind: 'reject'; readonly error: LabelstreamError }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | { readonly kind: 'delete'; readonly family: FamilyState }
  | { readonly kind: 'insert'; readonly family: FamilyState; readonly vector: Float32Array; /** What is clustered. */ readonly image: Float32Array };

/**
 * Changes nothing.
 * @throws LS_CLUSTER_MODEL_UNDECLARED
 */
export function checkFeature(state: PartitionState, feature: FeatureEvent, timeMs: number): FeatureVerdict {
  if (isAtOrBelowMark(state.marks, feature.read)) return { kind: 'drop', reason: 'duplicate' };
  const family = state.families.get(feature.family);
  if (family === undefined) {
    const message = `${feature.itemId} belongs to ${feature.family}, which no definition in the log declares.`;
    const error = clusterError('LS_CLUSTER_FAMILY_UNDECLARED', message, { family: feature.family, itemId: feature.itemId });
    return { kind: 'reject', error };
  }
  const invalid = checkNames(feature);
  if (invalid !== undefined) return { kind: 'reject', error: invalid };
  if (feature.deleted) return { kind: 'delete', family };
  // Before the checks that dead-letter: a dead letter would keep the vector of what was forgotten.
  if (isForgotten(state, feature, timeMs)) return { kind: 'drop', reason: 'buried' };
  if (isSuperseded(family, feature)) return { kind: 'drop', reason: 'superseded' };
  const error = checkModel(family, feature) ?? checkCollectionName(family, feature);
  if (error !== undefined) return { kind: 'reject', error };
  const { vector, image: { vector: image, fault } } = imagedVector(state, family, feature);
  if (fault !== undefined) return { kind: 'reject', error: invalidVector(family, feature, fault) };
  const crowded = checkFrozen(family, feature) ?? checkRoom(family, feature, timeMs);
  return crowded === undefined ? { kind: 'insert', family, vector, image } : { kind: 'reject', error: crowded };
}

/** Longer than `source/id` and `route/step` can be. What is told of an item repeats them, and must fit a record whatever the vector was. */
const nameLengthMax = 2048;
const names = ['itemId', 'inputId', 'routeStep', 'model', 'modelVersion', 'preview'] as const;

function checkNames(feature: FeatureEvent): LabelstreamError | undefined {
  const field = feature.itemId === '' ? 'itemId' : names.find((name) => (feature[name]?.length ?? 0) > nameLengthMax);
  if (field === undefined) return undefined;
  const message = `The field ${field} of a feature of ${feature.family} has ${feature[field]?.length ?? 0} characters; at most ${nameLengthMax} are allowed, and an itemId is not empty.`;
  return clusterError('LS_CLUSTER_FEATURE_INVALID', message, { family: feature.family, field });
}

function isForgotten(state: PartitionState, { family, itemId, origin }: FeatureEvent, timeMs: number): boolean {
  if (!hasTombstones(state.tombstones, family)) return false;
  return isBuried(state.tombstones, tombstoneRetentionOf(state), { family, itemHash: itemHashOf(itemId), origin }, timeMs);
}

/** Versions are compared where they can be: of one origin partition, generation and route step. */
function isSuperseded(family: FamilyState, feature: FeatureEvent): boolean {
  const item = liveItem(family, feature.itemId)?.item;
  return (
    item !== undefined &&
    item.routeStep === feature.routeStep &&
    item.model === feature.model &&
    item.modelVersion === feature.modelVersion &&
    item.origin.incarnation === feature.origin.incarnation &&
    item.origin.partition === feature.origin.partition &&
    item.origin.sequence >= feature.origin.sequence
  );
}

const vectorComponentBytes = 4;

/** Empty where the bytes are no float32 values, which no definition allows. */
function vectorOf({ vector }: FeatureEvent): Float32Array {
  return vector.length % vectorComponentBytes === 0 ? vectorFromBytes(vector) : new Float32Array(0);
}

const collectionNamePattern = /^[a-z0-9._-]{1,100}$/;

function checkCollectionName(family: FamilyState, feature: FeatureEvent): LabelstreamError | undefined {
  const details = { family: family.name, itemId: feature.itemId };
  if (!collectionNamePattern.test(feature.collection)) {
    const message = `${JSON.stringify(feature.collection.slice(0, 100))}, where ${feature.itemId} belongs, is no name of a collection.`;
    return clusterError('LS_CLUSTER_COLLECTION_NAME_INVALID', message, details);
  }
  return undefined;
}

/** Reading and checking a vector, and projecting it, cost as much as all other checks together, and of a feature that was prepared that was done then. */
const images = createKnownImages();

function imagedVector(state: PartitionState, family: FamilyState, feature: FeatureEvent): ImagedVector {
  const { metric } = family.parameters;
  const { dimensions } = family.definition;
  const projection = projectionOf(state, family);
  return images.of(feature, { projection, metric, dimensions }, () => {
    const vector = vectorOf(feature);
    return { vector, image: imageOf(projection, metric, vector, dimensions) };
  });
}

function invalidVector(family: FamilyState, { itemId }: FeatureEvent, fault: string): LabelstreamError {
  return clusterError('LS_CLUSTER_VECTOR_INVALID', `The vector of ${itemId} ${fault}.`, { family: family.name, itemId });
}

function checkFrozen({ name: family, collections }: FamilyState, { itemId, collection }: FeatureEvent): LabelstreamError | undefined {
  if (collections.get(collection)?.isFrozen !== true) return undefined;
  const message = `${collection} of ${family} is frozen at its memory budget; ${itemId} cannot enter it.`;
  return clusterError('LS_CLUSTER_COLLECTION_FROZEN', message, { family, itemId, collection });
}

function checkRoom(family: FamilyState, { itemId, collection }: FeatureEvent, timeMs: number): LabelstreamError | undefined {
  if (family.collections.has(collection) || hasRoomForCollection(family, itemId, timeMs)) return undefined;
  const message = `${family.name} has its ${family.definition.maxCollections} collections; ${itemId} would open ${collection}.`;
  return clusterError('LS_CLUSTER_COLLECTION_LIMIT', message, { family: family.name, itemId, collection });
}

export function applyFeature(
  changes: RecordChanges,
  feature: FeatureEvent,
  verdict: Exclude<FeatureVerdict, { kind: 'reject' }>,
  searched: SearchedVector | undefined,
): void {
  switch (verdict.kind) {
    case 'drop':
      if (verdict.reason === 'duplicate') return;
      break;
    case 'delete':
      deleteItem(changes, verdict.family, feature);
      break;
    case 'insert': {
      const { itemId, inputId, origin, routeStep, model, modelVersion, occurredAt, preview } = feature;
      const item = { itemId, inputId, origin, routeStep, model, modelVersion, occurredAt, preview, toldClusterId: null };
      insertItem(changes, verdict.family, feature.collection, item, { ...verdict, searched });
      break;
    }
  }
  raiseMark(changes.state.marks, feature.read);
}

/**
 * Wherever in the family the item is. Versions up to the deletion's origin are not to come back; a live one of a later origin stays: the
 * deletion is late, and that it comes from another route step does not make it newer.
 */
function deleteItem(changes: RecordChanges, family: FamilyState, { itemId, origin }: FeatureEvent): void {
  bury(changes.state.tombstones, family.name, itemHashOf(itemId), [origin], changes.timeMs);
  const live = liveItem(family, itemId);
  if (live === undefined) return;
  const current = live.item.origin;
  const isOfOnePartition = current.incarnation === origin.incarnation && current.partition === origin.partition;
  if (!isOfOnePartition || current.sequence <= origin.sequence) removeItem(changes, family, live.collection, itemId, true);
}
