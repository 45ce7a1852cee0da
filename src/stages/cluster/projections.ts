/**
 * Fitted projections by the SHA-256 of their bytes: fetched once, then at hand for the fold, which cannot wait within a record, as long as any partition
 * wants them. One may take as much memory as many vectors.
 */
import { openArtefact } from '../../clustering/projection/artefact.ts';
import type { FittedProjection } from '../../clustering/projection/projection.ts';
import { stateError } from '../../core/errors/state.ts';

/** The bytes of an artefact. Rejects with LS_STATE_ARTEFACT_MISSING, LS_STATE_ARTEFACT_CORRUPT. */
export type FetchProjection = (sha256: string) => Promise<Uint8Array>;

export type Projections = {
  /** What the partition of that state wants from now on; what none wants is let go of. */
  readonly want: (holder: object, wanted: ReadonlySet<string>) => void;
  /** One that was loaded, and is wanted. */
  readonly loaded: (sha256: string) => FittedProjection | undefined;
  /** Rejects as the fetching does, with LS_PROJECTION_ARTEFACT_INVALID and LS_PROJECTION_KIND_UNKNOWN; the next call tries again. */
  readonly load: (sha256: string) => Promise<FittedProjection>;
};

export function createProjections(fetch: FetchProjection = noArtefacts): Projections {
  const opened = new Map<string, FittedProjection>();
  const loading = new Map<string, Promise<FittedProjection>>();
  const wantedBy = new Map<object, ReadonlySet<string>>();
  const isWanted = (sha256: string): boolean => wantedBy.values().some((wanted) => wanted.has(sha256));
  const loadOnce = async (sha256: string): Promise<FittedProjection> => {
    try {
      const projection = openArtefact(await fetch(sha256), sha256);
      if (isWanted(sha256)) opened.set(sha256, projection);
      return projection;
    } finally {
      loading.delete(sha256);
    }
  };
  return {
    want: (holder, wanted) => {
      const before = wantedBy.get(holder);
      if (wanted.size === (before?.size ?? 0) && wanted.values().every((sha256) => before?.has(sha256) === true)) return;
      if (wanted.size === 0) wantedBy.delete(holder);
      else wantedBy.set(holder, wanted);
      for (const sha256 of opened.keys()) if (!isWanted(sha256)) opened.delete(sha256);
    },
    loaded: (sha256) => opened.get(sha256),
    load: (sha256) => {
      const known = opened.get(sha256);
      if (known !== undefined) return Promise.resolve(known);
      const begun = loading.get(sha256) ?? loadOnce(sha256);
      loading.set(sha256, begun);
      return begun;
    },
  };
}

function noArtefacts(sha256: string): Promise<Uint8Array> {
  return Promise.reject(stateError('LS_STATE_ARTEFACT_MISSING', `There is no state store to fetch the projection ${sha256} from.`, { sha256 }));
}
