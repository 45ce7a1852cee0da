/**
 * The codec: between bytes on a topic and events. Values name their writer's schema by fingerprint; the current schemas, and those of the
 * configured directories (older and newer versions), are known, and each is resolved once, at start-up, to the event that it is read as.
 */
import { codecError } from '../core/errors/codec.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { defaultDecodeLimits, type DecodeLimits } from './avro-guard.ts';
import { compileDecoder, compileReader, type Decoder, type Reader } from './decoder.ts';
import { compileEncoder, type Encoder } from './encoder.ts';
import { eventNames, type DecodedEvent, type EventName, type EventOf } from './event-names.ts';
import { schemaFingerprint } from './fingerprint.ts';
import { loadSchemaDirectory, ownSchemaDirectory, type LoadedSchema } from './schemas.ts';
import { peekWireFormat, readWireFormat, schemaIdOfFingerprint } from './wire-format.ts';

export type CodecOptions = {
  /** Directories with writers' schemas beside the current ones: other versions of these events. */
  readonly schemaDirectories?: readonly string[];
  readonly limits?: Partial<DecodeLimits>;
};

export type Codec = {
  /** Equal events give equal bytes. Throws LS_CODEC_INVALID_EVENT, LS_CODEC_LIMIT. */
  readonly encode: <Name extends EventName>(name: Name, event: EventOf<Name>) => Buffer;
  /**
   * Maps are objects without a prototype; Buffers are views of the bytes that were given. Throws LS_CODEC_FORMAT, LS_CODEC_SCHEMA_UNKNOWN,
   * LS_CODEC_MALFORMED, LS_CODEC_LIMIT.
   */
  readonly decode: (bytes: Buffer) => DecodedEvent;
  /** As `decode`, where only one event is expected. Throws LS_CODEC_SCHEMA_UNEXPECTED too. */
  readonly decodeAs: <Name extends EventName>(name: Name, bytes: Buffer) => EventOf<Name>;
  /** The writer's schema as the bytes name it, known or not, in hexadecimal; undefined where they name none. Never throws. */
  readonly schemaIdOf: (bytes: Buffer) => string | undefined;
  /** What `decode` would call the event, from the header alone; undefined where that is unknown. Never throws. */
  readonly peekSchema: (bytes: Buffer) => EventName | undefined;
};

type Writer = { readonly name: EventName; readonly decoder: Decoder };

/** Rejects with LS_CODEC_SCHEMA_INVALID, LS_CODEC_INCOMPATIBLE. */
export async function openCodec(options: CodecOptions = {}): Promise<Codec> {
  const limits = { ...defaultDecodeLimits, ...options.limits };
  const own = await loadSchemaDirectory(ownSchemaDirectory);
  const readers = compileReaders(own);
  const writers = new Map<bigint, Writer>();
  const encoders = new Map<EventName, Encoder>();
  for (const [name, reader] of readers) {
    const fingerprint = schemaFingerprint(reader.schema);
    const decoder = compileDecoder(reader.schema, reader, limits);
    writers.set(fingerprint, { name, decoder });
    encoders.set(name, compileEncoder(name, reader.type, fingerprint, decoder.guard));
  }
  const ownNames = new Set(own.map((schema) => schema.name));
  for (const directory of options.schemaDirectories ?? []) {
    for (const written of await loadSchemaDirectory(directory)) {
      const name = eventReading(written, readers);
      // Building blocks of events are in the directory only because events refer to them.
      if (name === undefined && (written.referenced || ownNames.has(written.name))) continue;
      const fingerprint = schemaFingerprint(written.schema);
      if (!writers.has(fingerprint)) writers.set(fingerprint, compileWriter(written, name, readers, limits));
    }
  }
  return codecOver(writers, encoders);
}

function compileReaders(own: readonly LoadedSchema[]): ReadonlyMap<EventName, Reader> {
  return new Map(
    eventNames.map((name) => {
      const loaded = own.find((schema) => schema.name === `labelstream.v1.${name}`);
      if (loaded === undefined) throw codecError('LS_CODEC_SCHEMA_INVALID', `${ownSchemaDirectory} has no schema of ${name}`);
      return [name, compileReader(loaded.schema)];
    }),
  );
}

/** The event that has the schema's name, now or as an alias. */
function eventReading(written: LoadedSchema, readers: ReadonlyMap<EventName, Reader>): EventName | undefined {
  for (const [name, { schema }] of readers) {
    if ('name' in schema && written.name !== undefined && [schema.name, ...schema.aliases].includes(written.name)) return name;
  }
  return undefined;
}

function compileWriter(
  written: LoadedSchema,
  name: EventName | undefined,
  readers: ReadonlyMap<EventName, Reader>,
  limits: DecodeLimits,
): Writer {
  const { file } = written;
  const reader = name === undefined ? undefined : readers.get(name);
  if (name === undefined || reader === undefined) {
    const message = `${file}: no event is called ${written.name ?? 'so'}`;
    throw codecError('LS_CODEC_INCOMPATIBLE', message, { file });
  }
  try {
    return { name, decoder: compileDecoder(written.schema, reader, limits) };
  } catch (error) {
    if (!(error instanceof LabelstreamError)) throw error;
    throw new LabelstreamError(error.code, error.description, `${file}: ${error.message}`, { ...error.details, file }, { cause: error });
  }
}

function codecOver(writers: ReadonlyMap<bigint, Writer>, encoders: ReadonlyMap<EventName, Encoder>): Codec {
  function writerOf(fingerprint: bigint): Writer {
    const writer = writers.get(fingerprint);
    if (writer !== undefined) return writer;
    const schemaId = schemaIdOfFingerprint(fingerprint);
    throw codecError('LS_CODEC_SCHEMA_UNKNOWN', `the value was written with the unknown schema ${schemaId}`, { schemaId });
  }

  function decode(bytes: Buffer): DecodedEvent {
    const { fingerprint, bodyOffset } = readWireFormat(bytes);
    const { name, decoder } = writerOf(fingerprint);
    // The one place where the types, generated from the schemas, meet what was decoded by the schemas.
    return { schema: name, event: decoder.decode(bytes, bodyOffset) } as DecodedEvent;
  }

  function decodeAs<Name extends EventName>(name: Name, bytes: Buffer): EventOf<Name> {
    const written = writerOf(readWireFormat(bytes).fingerprint).name;
    if (written !== name) throw codecError('LS_CODEC_SCHEMA_UNEXPECTED', `the value is a ${written}, not a ${name}`, { schema: written });
    return decode(bytes).event as EventOf<Name>;
  }

  return {
    encode: (name, event) => {
      const encoder = encoders.get(name);
      if (encoder === undefined) throw codecError('LS_CODEC_INVALID_EVENT', `there is no event ${name}`, { path: name });
      return encoder(event);
    },
    decode,
    decodeAs,
    schemaIdOf: (bytes) => {
      const format = peekWireFormat(bytes);
      return format === undefined ? undefined : schemaIdOfFingerprint(format.fingerprint);
    },
    peekSchema: (bytes) => {
      const format = peekWireFormat(bytes);
      return format === undefined ? undefined : writers.get(format.fingerprint)?.name;
    },
  };
}
