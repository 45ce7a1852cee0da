/**
 * The writers that a registry knows by id, as far as they were needed. To decode stays synchronous: what is not here yet is fetched before, by
 * whoever can wait (`prepare`). Ids that the registry does not have, or whose schemas are of no use, are kept apart, so that a flood of them
 * pushes out nothing that serves, and are asked for again after a while.
 */
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { registryError } from '../../core/errors/registry.ts';
import { createRecentMap } from './recent-map.ts';
import type { RegisteredSchema, SchemaRegistry } from './schema-registry.ts';
import { createSharedLookups, type Waiting } from './shared-lookups.ts';

export type RegistryWriters<Writer> = {
  /** Undefined where `writerOf` has an answer. Rejects with the reason of the waiter's signal, and with outages that are not waited for. */
  readonly prepare: (id: number, waiting?: Waiting) => Promise<void> | undefined;
  /** Throws LS_REGISTRY_SCHEMA_UNKNOWN, and what `compile` throws; LS_REGISTRY_UNAVAILABLE where the id was not prepared. */
  readonly writerOf: (id: number) => Writer;
  /** A schema of our own: no registry is asked. */
  readonly add: (id: number, writer: Writer) => void;
  /** Undefined where it is not known here. */
  readonly peek: (id: number) => Writer | undefined;
};

export type RegistryWritersOptions<Writer> = {
  readonly registry: Pick<SchemaRegistry, 'schemaOf'>;
  /** Throws errors that the input caused. */
  readonly compile: (id: number, schema: RegisteredSchema) => Writer;
  readonly cacheSchemasMax: number;
  readonly negativeCacheMs: number;
  readonly clock: Clock;
};

type Refusal = { readonly error: LabelstreamError; readonly untilMs: number };

export function createRegistryWriters<Writer extends object>(options: RegistryWritersOptions<Writer>): RegistryWriters<Writer> {
  const { registry, compile, cacheSchemasMax, negativeCacheMs, clock } = options;
  const own = new Map<number, Writer>();
  const known = createRecentMap<number, Writer>(cacheSchemasMax);
  const refused = createRecentMap<number, Refusal>(cacheSchemasMax);
  const lookUp = createSharedLookups<number>(async (id, signal) => {
    try {
      known.set(id, compile(id, await registry.schemaOf(id, signal)));
      refused.delete(id);
    } catch (error) {
      if (!(error instanceof LabelstreamError) || error.description.cause !== 'input') throw error;
      refused.set(id, { error, untilMs: clock.elapsedMs() + negativeCacheMs });
    }
  });
  const peek = (id: number): Writer | undefined => own.get(id) ?? known.get(id);
  return {
    prepare: (id, waiting) => {
      if (peek(id) !== undefined) return undefined;
      const refusal = refused.get(id);
      return refusal !== undefined && clock.elapsedMs() < refusal.untilMs ? undefined : lookUp(id, waiting);
    },
    writerOf: (id) => {
      const writer = peek(id);
      if (writer !== undefined) return writer;
      throw refused.get(id)?.error ?? registryError('LS_REGISTRY_UNAVAILABLE', `schema ${id} has not been asked of the schema registry yet`, { schemaId: id });
    },
    add: (id, writer) => void own.set(id, writer),
    peek,
  };
}
