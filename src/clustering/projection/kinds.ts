/** The kinds of projections that there are. */
import { projectionError } from '../../core/errors/projection.ts';
import type { ProjectionKind } from './projection.ts';
import { whiten } from './whiten.ts';

const kinds: ReadonlyMap<string, ProjectionKind> = new Map([whiten].map((projection) => [projection.kind, projection]));

export const projectionKinds: readonly string[] = [...kinds.keys()];

/** Throws LS_PROJECTION_KIND_UNKNOWN. */
export function projectionKind(name: string): ProjectionKind {
  const found = kinds.get(name);
  if (found === undefined) throw projectionError('LS_PROJECTION_KIND_UNKNOWN', `there is no projection of kind "${name}"; there are: ${projectionKinds.join(', ')}`, { kind: name });
  return found;
}
