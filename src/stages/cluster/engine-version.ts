/** The version of the clustering engine: another one where equal records give other results (SEMANTICS.md, rule 27). */
import { clusterError } from '../../core/errors/cluster.ts';

/** The newest that this program has. */
export const engineVersion = 1;

/** What comes of the records by another engine is not to be guessed. @throws LS_CLUSTER_ENGINE_UNKNOWN */
export function requireKnownEngine(version: number): void {
  if (version <= engineVersion) return;
  const message = `The records are to be folded by version ${version} of the engine; this program has version ${engineVersion}.`;
  throw clusterError('LS_CLUSTER_ENGINE_UNKNOWN', message, { version });
}
