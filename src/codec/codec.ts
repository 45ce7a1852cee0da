/**
 * The codec: between bytes on a topic and events. Values name their writer's schema by fingerprint, or by its id in a schema registry. The
 * current schemas, and those of the configured directories (older and newer versions), are known by fingerprint, and each is resolved once, at
 * start-up, to the event that it is read as; those of a registry are when a value first names them.
 */
import { codecError } from '../core/errors/codec.ts';
import { registryError } from '../core/errors/registry.ts';
import { defaultDecodeLimits, type DecodeLimits } from './avro-guard.ts';
import { compileDecoder } from './decoder.ts';
import { compileEncoder, type Encoder } from './encoder.ts';
import type { DecodedEvent, EventName, EventOf } from './event-names.ts';
import { schemaFingerprint } from './fingerprint.ts';
import type { CodecRegistry, CodecRegistryOptions } from './registry/codec-registry.ts';
import type { Waiting } from './registry/shared-lookups.ts';
import { loadSchemaDirectory, ownSchemaDirectory } from './schemas.ts';
import { confluentSchemaId, peekWireFormat, readWireFormat, schemaIdOf, singleObjectHeader, type WireFormat } from './wire-format.ts';
import { compileReaders, compileWriter, eventReading, type Writer } from './writers.ts';

export type CodecOptions = {
  /** Directories with writers' schemas beside the current ones: other versions of these events. */
  readonly schemaDirectories?: readonly string[];
  readonly limits?: Partial<DecodeLimits>;
  /** Without one, values in Confluent's format are refused. */
  readonly registry?: CodecRegistryOptions;
};

export type Codec = {
  /**
   * To be awaited before the first `encode`; at once where no registry is configured. Rejects with LS_REGISTRY_NOT_REGISTERED,
   * LS_REGISTRY_REGISTRATION, the signal's reason.
   */
  readonly prepareEncode: (waiting?: Waiting) => Promise<void>;
  /** Equal events give equal bytes. Throws LS_CODEC_INVALID_EVENT, LS_CODEC_LIMIT; LS_REGISTRY_UNAVAILABLE where it was not prepared. */
  readonly encode: <Name extends EventName>(name: Name, event: EventOf<Name>) => Buffer;
  /**
   * What `decode` has to wait for, if anything: the writer's schema, from a registry. Waits without bound (SEMANTICS.md, rule 22); asked again
   * afterwards it may answer with another promise, where thousands of schemas come at once. Rejects with the signal's reason.
   */
  readonly prepareDecode: (bytes: Buffer, waiting?: Waiting) => Promise<void> | undefined;
  /**
   * Maps are objects without a prototype; Buffers are views of the bytes that were given. Throws LS_CODEC_FORMAT, LS_CODEC_SCHEMA_UNKNOWN,
   * LS_CODEC_MALFORMED, LS_CODEC_LIMIT, LS_REGISTRY_NOT_CONFIGURED, LS_REGISTRY_SCHEMA_*; LS_REGISTRY_UNAVAILABLE where it was not prepared.
   */
  readonly decode: (bytes: Buffer) => DecodedEvent;
  /** As `decode`, where only one event is expected. Throws LS_CODEC_SCHEMA_UNEXPECTED too. */
  readonly decodeAs: <Name extends EventName>(name: Name, bytes: Buffer) => EventOf<Name>;
  /** The writer's schema as the bytes name it, known or not: `fingerprint in hexadecimal`, `registry:ID`; undefined where they name none. Never throws. */
  readonly schemaIdOf: (bytes: Buffer) => string | undefined;
  /** What `decode` would call the event, from the header alone; undefined where that is unknown. Never throws. */
  readonly peekSchema: (bytes: Buffer) => EventName | undefined;
};

/** Rejects with LS_CODEC_SCHEMA_INVALID, LS_CODEC_INCOMPATIBLE. */
export async function openCodec(options: CodecOptions = {}): Promise<Codec> {
  const limits = { ...defaultDecodeLimits, ...options.limits };
  const own = await loadSchemaDirectory(ownSchemaDirectory);
  const readers = compileReaders(own);
  const ownWriters = new Map<EventName, Writer>();
  const writers = new Map<bigint, Writer>();
  const encoders = new Map<EventName, Encoder>();
  for (const [name, reader] of readers) {
    const fingerprint = schemaFingerprint(reader.schema);
    const writer = { name, decoder: compileDecoder(reader.schema, reader, limits) };
    ownWriters.set(name, writer);
    writers.set(fingerprint, writer);
    encoders.set(name, compileEncoder(name, reader.type, singleObjectHeader(fingerprint), writer.decoder.guard));
  }
  const ownNames = new Set(own.map((schema) => schema.name));
  for (const directory of options.schemaDirectories ?? []) {
    for (const written of await loadSchemaDirectory(directory)) {
      const name = eventReading(written.name, readers);
      // Building blocks of events are in the directory only because events refer to them.
      if (name === undefined && (written.referenced || ownNames.has(written.name))) continue;
      const fingerprint = schemaFingerprint(written.schema);
      if (!writers.has(fingerprint)) writers.set(fingerprint, compileWriter(written, name, readers, limits));
    }
  }
  const registry = options.registry === undefined ? undefined : (await import('./registry/codec-registry.ts')).openCodecRegistry(options.registry, readers, ownWriters, limits);
  return codecOver(writers, encoders, registry);
}

type Encoders = ReadonlyMap<EventName, Encoder>;

function codecOver(writers: ReadonlyMap<bigint, Writer>, singleObjectEncoders: Encoders, registry: CodecRegistry | undefined): Codec {
  let encoders: Encoders | undefined = registry?.encoders === undefined ? singleObjectEncoders : undefined;

  function writerOf(format: WireFormat): Writer {
    switch (format.kind) {
      case 'single-object': {
        const writer = writers.get(format.fingerprint);
        if (writer !== undefined) return writer;
        const schemaId = schemaIdOf(format);
        throw codecError('LS_CODEC_SCHEMA_UNKNOWN', `the value was written with the unknown schema ${schemaId}`, { schemaId });
      }
      case 'confluent': {
        if (registry !== undefined) return registry.writers.writerOf(format.schemaId);
        const { schemaId } = format;
        throw registryError('LS_REGISTRY_NOT_CONFIGURED', `the value names schema ${schemaId} of a schema registry, and none is configured`, { schemaId });
      }
    }
  }

  function decodeBody(bytes: Buffer, { name, decoder }: Writer, bodyOffset: number): DecodedEvent {
    // The one place where the types, generated from the schemas, meet what was decoded by the schemas.
    return { schema: name, event: decoder.decode(bytes, bodyOffset) } as DecodedEvent;
  }

  return {
    prepareEncode: async (waiting) => {
      await registry?.prepare(waiting);
      encoders = registry?.encoders?.() ?? singleObjectEncoders;
    },
    encode: (name, event) => {
      if (encoders === undefined) throw registryError('LS_REGISTRY_UNAVAILABLE', 'the schema registry has not been asked yet for the ids of the schemas');
      const encoder = encoders.get(name);
      if (encoder === undefined) throw codecError('LS_CODEC_INVALID_EVENT', `there is no event ${name}`, { path: name });
      return encoder(event);
    },
    prepareDecode: (bytes, waiting) => {
      if (registry === undefined) return undefined;
      const schemaId = confluentSchemaId(bytes);
      return schemaId === undefined ? undefined : registry.writers.prepare(schemaId, waiting);
    },
    decode: (bytes) => {
      const format = readWireFormat(bytes);
      return decodeBody(bytes, writerOf(format), format.bodyOffset);
    },
    decodeAs: <Name extends EventName>(name: Name, bytes: Buffer) => {
      const format = readWireFormat(bytes);
      const writer = writerOf(format);
      if (writer.name !== name) {
        throw codecError('LS_CODEC_SCHEMA_UNEXPECTED', `the value is a ${writer.name}, not a ${name}`, { schema: writer.name });
      }
      return decodeBody(bytes, writer, format.bodyOffset).event as EventOf<Name>;
    },
    schemaIdOf: (bytes) => {
      const format = peekWireFormat(bytes);
      return format === undefined ? undefined : schemaIdOf(format);
    },
    peekSchema: (bytes) => {
      const format = peekWireFormat(bytes);
      if (format === undefined) return undefined;
      return (format.kind === 'single-object' ? writers.get(format.fingerprint) : registry?.writers.peek(format.schemaId))?.name;
    },
  };
}
