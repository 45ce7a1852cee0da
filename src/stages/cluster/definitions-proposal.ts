/**
 * What a start-up appends to the features log: a configuration only proposes, and the log decides (SEMANTICS.md, rule 9). The definitions that
 * the log holds come from the newest snapshot's first chunk and the control records after it.
 */
import { clusterError } from '../../core/errors/cluster.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { ControlEvent, Define } from '../../core/events.generated.ts';
import { canonicalDefinition, definitionDifferences } from './definitions.ts';

/** By family: the one with the highest version that the log holds or the configuration names. */
export type Definitions = ReadonlyMap<string, Define>;

/** Folds a control record into what is known of the log: the highest version wins, the first of one version stays. */
export function withControl(known: Definitions, { family, action }: ControlEvent): Definitions {
  if (family === null || !('labelstream.v1.Define' in action)) return known;
  const definition = canonicalDefinition(action['labelstream.v1.Define']);
  const current = known.get(family);
  return current !== undefined && current.version >= definition.version ? known : new Map(known).set(family, definition);
}

export type Proposal = {
  /** To be appended, each as `defineRecord` makes it. In the order of the configuration. */
  readonly define: readonly { readonly family: string; readonly definition: Define }[];
  /** LS_CLUSTER_DEFINITION_CONFLICT, LS_CLUSTER_DEFINITION_STALE: one for each family whose definition cannot be proposed. */
  readonly errors: readonly LabelstreamError[];
};

/** What the configuration adds to the log, or why it may not. A family that only the log knows stays as it is. */
export function proposeDefinitions(configured: Definitions, inLog: Definitions): Proposal {
  const define: { family: string; definition: Define }[] = [];
  const errors: LabelstreamError[] = [];
  for (const [family, definition] of configured) {
    const current = inLog.get(family);
    const error = current && conflictOf(family, definition, current);
    if (error !== undefined) errors.push(error);
    else if (current === undefined || definition.version > current.version) define.push({ family, definition });
  }
  return { define, errors };
}

function conflictOf(family: string, definition: Define, current: Define): LabelstreamError | undefined {
  const details = { family, version: definition.version, versionInLog: current.version };
  const differences = definitionDifferences(current, definition);
  if (definition.version > current.version || (definition.version === current.version && differences.length === 0)) return undefined;
  if (definition.version === current.version) {
    const message = `The collection ${family} has version ${definition.version} in the log with another ${differences.join(', ')}; raise \`version\`.`;
    return clusterError('LS_CLUSTER_DEFINITION_CONFLICT', message, details);
  }
  const message = `The collection ${family} is configured with version ${definition.version}, but the log holds version ${current.version}.`;
  return clusterError('LS_CLUSTER_DEFINITION_STALE', message, details);
}
