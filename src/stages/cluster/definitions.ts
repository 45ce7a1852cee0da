/**
 * Definitions of families as records of the log (SEMANTICS.md, rules 9 and 16): the highest version wins, and what a version says never
 * changes. A generation is (model and version, projection, metric, eps, minPoints); how a family goes over to another is in generations.ts.
 */
import type { ClusteringParameters } from '../../clustering/clustering.ts';
import { checkVector } from '../../clustering/distance.ts';
import { generationId } from '../../core/ids.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { Define, FeatureEvent, Metric, SetParameters } from '../../core/events.generated.ts';
import { rawVectorOf } from './projected-vectors.ts';
import { compareText, itemCountOf, type FamilyState } from './state.ts';

/** A definition and nothing else: neither the order of its properties nor further ones count. */
export function canonicalDefinition(definition: Define): Define {
  return {
    version: definition.version,
    model: definition.model,
    modelVersion: definition.modelVersion,
    dimensions: definition.dimensions,
    projectionSha256: definition.projectionSha256,
    metric: definition.metric,
    eps: definition.eps,
    minPoints: definition.minPoints,
    windowItems: definition.windowItems,
    windowAgeMs: definition.windowAgeMs,
    windowAgeBy: definition.windowAgeBy,
    maxCollections: definition.maxCollections,
    relabelOnMerge: definition.relabelOnMerge,
    tombstoneRetentionMs: definition.tombstoneRetentionMs,
  };
}

/** The names of the properties in which two definitions differ, the version apart. */
function definitionDifferences(left: Define, right: Define): readonly string[] {
  const rightValues = new Map(Object.entries(canonicalDefinition(right)));
  return Object.entries(canonicalDefinition(left)).flatMap(([key, value]) =>
    key === 'version' || Object.is(value, rightValues.get(key)) ? [] : [key],
  );
}

export function parametersOf({ metric, eps, minPoints }: Define): ClusteringParameters {
  return { metric, eps, minPoints };
}

export function generationOf({ model, modelVersion, projectionSha256 }: Pick<Define, 'model' | 'modelVersion' | 'projectionSha256'>, { metric, eps, minPoints }: ClusteringParameters): string {
  return generationId({ model, modelVersion, projectionSha256, metric, eps, minPoints });
}

export type DefinitionVerdict =
  | { readonly kind: 'reject'; readonly error: LabelstreamError }
  /** The log says so already. */
  | { readonly kind: 'known' }
  | { readonly kind: 'define' };

export function checkDefinition(familyName: string, family: FamilyState | undefined, definition: Define): DefinitionVerdict {
  const details = { family: familyName, version: definition.version };
  const mistake = mistakeIn(definition);
  if (mistake !== undefined) {
    return { kind: 'reject', error: clusterError('LS_CLUSTER_DEFINITION_INVALID', `The definition of ${familyName} has ${mistake}.`, details) };
  }
  if (family === undefined) return { kind: 'define' };
  const error = checkAgainst(family, definition, details);
  if (error !== undefined) return { kind: 'reject', error };
  return definition.version === family.definition.version ? { kind: 'known' } : { kind: 'define' };
}

function checkAgainst(
  family: FamilyState,
  definition: Define,
  details: { readonly family: string; readonly version: number },
): LabelstreamError | undefined {
  const current = family.definition;
  if (definition.version < current.version) {
    const message = `Version ${definition.version} of ${family.name} is older than version ${current.version}, which is in force.`;
    return clusterError('LS_CLUSTER_DEFINITION_STALE', message, details);
  }
  const differences = definitionDifferences(current, definition);
  if (definition.version === current.version) {
    if (differences.length === 0) return undefined;
    const message = `Version ${definition.version} of ${family.name} is in the log with another ${differences.join(', ')}.`;
    return clusterError('LS_CLUSTER_DEFINITION_CONFLICT', message, details);
  }
  const itemCount = itemCountOf(family);
  if (itemCount === 0) return undefined;
  const migrating = differences.filter((name) => ['model', 'modelVersion', 'dimensions'].includes(name));
  if (migrating.length > 0) {
    const message = `Version ${definition.version} of ${family.name} changes ${migrating.join(', ')} while ${itemCount} items live.`;
    return clusterError('LS_CLUSTER_MIGRATION_UNSUPPORTED', message, details);
  }
  // What a projection makes of the items is found out when they are projected.
  const incomparable = definition.projectionSha256 === null ? itemWithoutMetric(family, definition.metric) : undefined;
  if (incomparable === undefined) return undefined;
  const message = `The item ${incomparable} of ${family.name} cannot be compared by the metric ${definition.metric}.`;
  return clusterError('LS_CLUSTER_DEFINITION_INVALID', message, details);
}

/** The lowest itemId of those whose vectors may not be in a collection of this metric: items are in no order that outlives a restore. */
function itemWithoutMetric(family: FamilyState, metric: Metric): string | undefined {
  if (metric === family.parameters.metric && family.projectionSha256 === null) return undefined;
  let lowest: string | undefined;
  for (const collection of family.collections.values()) {
    for (const itemId of collection.items.keys()) {
      if (lowest !== undefined && compareText(itemId, lowest) > 0) continue;
      const vector = rawVectorOf(collection, itemId);
      if (vector !== undefined && checkVector(vector, family.definition.dimensions, metric) !== undefined) lowest = itemId;
    }
  }
  return lowest;
}

const sha256Pattern = /^[0-9a-f]{64}$/;

function mistakeIn(definition: Define): string | undefined {
  const { version, model, modelVersion, dimensions, projectionSha256, windowItems, windowAgeMs, maxCollections, tombstoneRetentionMs } = definition;
  if (version < 1) return `version ${version}`;
  if (model === '' || modelVersion === '') return 'no model or no version of it';
  if (dimensions < 1) return `${dimensions} dimensions`;
  if (projectionSha256 !== null && !sha256Pattern.test(projectionSha256)) return 'a projection that is no SHA-256 in lower-case hexadecimal';
  if (maxCollections < 1) return `room for ${maxCollections} collections`;
  if (windowItems !== null && windowItems < 1) return `a window of ${windowItems} items`;
  if (windowAgeMs !== null && windowAgeMs < 1n) return `a window of ${String(windowAgeMs)} ms`;
  if (tombstoneRetentionMs !== null && tombstoneRetentionMs < 0n) return `a tombstone retention of ${String(tombstoneRetentionMs)} ms`;
  return mistakeInParameters(parametersOf(definition));
}

function mistakeInParameters({ eps, minPoints }: Pick<ClusteringParameters, 'eps' | 'minPoints'>): string | undefined {
  if (!Number.isFinite(eps) || eps <= 0) return `eps ${eps}`;
  return minPoints < 1 ? `minPoints ${minPoints}` : undefined;
}

export function checkParameters(family: FamilyState, { eps, minPoints }: SetParameters): LabelstreamError | undefined {
  const mistake =
    eps === null && minPoints === null ? 'neither eps nor minPoints' : mistakeInParameters(mergeParameters(family, { eps, minPoints }));
  if (mistake === undefined) return undefined;
  return clusterError('LS_CLUSTER_PARAMETERS_INVALID', `The parameters for ${family.name} have ${mistake}.`, { family: family.name });
}

/** Onto what was asked for last. */
export function mergeParameters({ parameters: inForce, pending }: FamilyState, { eps, minPoints }: SetParameters): ClusteringParameters {
  const parameters = pending?.parameters ?? inForce;
  return { metric: parameters.metric, eps: eps ?? parameters.eps, minPoints: minPoints ?? parameters.minPoints };
}

/** Whether the feature's model is the family's (undefined), was it (an error for the feature), or never was (thrown: rule 16). */
export function checkModel(family: FamilyState, { itemId, model, modelVersion }: FeatureEvent): LabelstreamError | undefined {
  const current = family.definition;
  if (model === current.model && modelVersion === current.modelVersion) return undefined;
  const details = { family: family.name, itemId, model, modelVersion };
  const name = `${model} ${modelVersion}`;
  if (family.declaredModels.some((declared) => declared.model === model && declared.modelVersion === modelVersion)) {
    const message = `${itemId} was extracted with ${name}; ${family.name} uses ${current.model} ${current.modelVersion}.`;
    return clusterError('LS_CLUSTER_GENERATION_RETIRED', message, details);
  }
  const message = `${itemId} was extracted with ${name}, which no definition of ${family.name} in the log before it names.`;
  throw clusterError('LS_CLUSTER_MODEL_UNDECLARED', message, details);
}
