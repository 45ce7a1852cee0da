/** What the log, or the state store, refuses of the definitions that a configuration proposes. */
import { openArtefact } from './clustering/projection/artefact.ts';
import type { Configuration } from './config/load.ts';
import type { UnlocatedMistake } from './config/mistakes.ts';
import { clusterError } from './core/errors/cluster.ts';
import { LabelstreamError } from './core/errors/error.ts';
import type { Define } from './core/events.generated.ts';
import { fetchArtefact } from './pipeline/artefact-store.ts';
import type { StateStore } from './pipeline/state-store.ts';

export function refusedDefinition({ code, message, description, details }: LabelstreamError, { collections }: Configuration): UnlocatedMistake {
  return { code, path: ['collections', collections.findIndex(({ name }) => name === details['family'])], message, remedy: description.remedy };
}

type Proposed = { readonly collection: Configuration['collections'][number]; readonly definition: Define };

/**
 * Looked at before the log is told of them: a partition whose projection is missing stops.
 * @param proposed in the order of the configuration.
 */
export async function refusedProjections(proposed: readonly Proposed[], stateStore: Pick<StateStore, 'readNewest' | 'list'>): Promise<readonly UnlocatedMistake[]> {
  const refused: UnlocatedMistake[] = [];
  for (const [index, { collection: { name }, definition: { projectionSha256, dimensions } }] of proposed.entries()) {
    if (projectionSha256 === null) continue;
    try {
      const { inputDimensions } = openArtefact(await fetchArtefact(stateStore, projectionSha256), projectionSha256);
      if (inputDimensions === dimensions) continue;
      const message = `The projection of ${name} takes vectors of ${inputDimensions} dimensions, and its model gives ${dimensions}.`;
      throw clusterError('LS_CLUSTER_DEFINITION_INVALID', message, { family: name });
    } catch (error) {
      if (!(error instanceof LabelstreamError)) throw error;
      const { code, message, description } = error;
      refused.push({ code, path: ['collections', index, 'projection'], message, remedy: description.remedy });
    }
  }
  return refused;
}
