/** What the codec needs of a schema registry: writers by id, and, where outputs are to name them, the ids of its own schemas. */
import type { Clock } from '../../core/clock.ts';
import type { DecodeLimits } from '../avro-guard.ts';
import { compileEncoder, type Encoder } from '../encoder.ts';
import type { EventName } from '../event-names.ts';
import { schemaText } from '../schema-text.ts';
import { confluentHeader } from '../wire-format.ts';
import { compileRegisteredWriter, type Readers, type Writer } from '../writers.ts';
import { createRegistryWriters, type RegistryWriters } from './registry-writers.ts';
import type { SchemaRegistry } from './schema-registry.ts';
import type { Waiting } from './shared-lookups.ts';
import { subjectOf, type SubjectStrategy } from './subjects.ts';

export type CodecRegistryOptions = {
  readonly registry: SchemaRegistry;
  readonly subjectStrategy: SubjectStrategy;
  /** Before the names of topics on the brokers. */
  readonly topicPrefix: string;
  /** What is written. Both are read. */
  readonly encode: 'single-object' | 'confluent';
  /** Otherwise, where ids are needed, they are looked for. */
  readonly registerSchemas: boolean;
  /** Of writers' schemas, and as many ids that are of no use. */
  readonly cacheSchemasMax: number;
  /** How long an id that is of no use is not asked for again. */
  readonly negativeCacheMs: number;
  readonly clock: Clock;
};

export type CodecRegistry = {
  readonly writers: RegistryWriters<Writer>;
  /** Registers or finds our own schemas, where that is asked for. Rejects with LS_REGISTRY_NOT_REGISTERED, LS_REGISTRY_REGISTRATION, the signal's reason. */
  readonly prepare: (waiting?: Waiting) => Promise<void>;
  /** Undefined where outputs are single-objects. To be called when prepared. */
  readonly encoders: (() => ReadonlyMap<EventName, Encoder>) | undefined;
};

export function openCodecRegistry(options: CodecRegistryOptions, readers: Readers, own: ReadonlyMap<EventName, Writer>, limits: DecodeLimits): CodecRegistry {
  const { registry, subjectStrategy, topicPrefix, registerSchemas } = options;
  const writers = createRegistryWriters({ ...options, compile: (id, schema) => compileRegisteredWriter(id, schema, readers, limits) });
  const encoders = new Map<EventName, Encoder>();
  const confluent = options.encode === 'confluent';
  return {
    writers,
    prepare: async (waiting) => {
      if (!confluent && !registerSchemas) return;
      const signal = waiting?.signal ?? new AbortController().signal;
      for (const [name, { schema, type }] of readers) {
        const id = await registry.idOf(subjectOf(subjectStrategy, topicPrefix, name), schemaText(schema), registerSchemas ? 'register' : 'find', signal);
        const writer = own.get(name);
        if (writer === undefined) continue;
        writers.add(id, writer);
        encoders.set(name, compileEncoder(name, type, confluentHeader(id), writer.decoder.guard));
      }
    },
    encoders: confluent ? () => encoders : undefined,
  };
}
