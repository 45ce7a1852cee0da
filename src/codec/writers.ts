/** Writers' schemas, each resolved to the event that it is read as. */
import { codecError } from '../core/errors/codec.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { registryError } from '../core/errors/registry.ts';
import type { DecodeLimits } from './avro-guard.ts';
import { compileDecoder, compileReader, type Decoder, type Reader } from './decoder.ts';
import { eventNames, type EventName } from './event-names.ts';
import type { RegisteredSchema } from './registry/schema-registry.ts';
import { parseSchema } from './schema-model.ts';
import { ownSchemaDirectory, type LoadedSchema } from './schemas.ts';

export type Writer = { readonly name: EventName; readonly decoder: Decoder };
export type Readers = ReadonlyMap<EventName, Reader>;

export function compileReaders(own: readonly LoadedSchema[]): Readers {
  return new Map(
    eventNames.map((name) => {
      const loaded = own.find((schema) => schema.name === `labelstream.v1.${name}`);
      if (loaded === undefined) throw codecError('LS_CODEC_SCHEMA_INVALID', `${ownSchemaDirectory} has no schema of ${name}`);
      return [name, compileReader(loaded.schema)];
    }),
  );
}

/** The event that has the schema's name, now or as an alias. */
export function eventReading(writtenName: string | undefined, readers: Readers): EventName | undefined {
  for (const [name, { schema }] of readers) {
    if ('name' in schema && writtenName !== undefined && [schema.name, ...schema.aliases].includes(writtenName)) return name;
  }
  return undefined;
}

/** Throws LS_CODEC_INCOMPATIBLE, LS_CODEC_SCHEMA_INVALID, which name the file. */
export function compileWriter(written: LoadedSchema, name: EventName | undefined, readers: Readers, limits: DecodeLimits): Writer {
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

/**
 * Whatever a registry calls a schema, it can only be the fault of that schema that it is of no use: throws LS_REGISTRY_SCHEMA_FOREIGN,
 * LS_REGISTRY_SCHEMA_UNREADABLE.
 */
export function compileRegisteredWriter(schemaId: number, { json, references }: RegisteredSchema, readers: Readers, limits: DecodeLimits): Writer {
  try {
    const schema = parseSchema(json, (name) => references.get(name));
    const writtenName = 'name' in schema ? schema.name : undefined;
    const name = eventReading(writtenName, readers);
    const reader = name === undefined ? undefined : readers.get(name);
    if (name === undefined || reader === undefined) {
      const what = writtenName?.slice(0, 200) ?? `a type without a name, ${schema.kind}`;
      throw registryError('LS_REGISTRY_SCHEMA_FOREIGN', `the value was written with schema ${schemaId}, which is ${what}: no event of this program`, { schemaId });
    }
    return { name, decoder: compileDecoder(schema, reader, limits) };
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_REGISTRY_SCHEMA_FOREIGN') throw error;
    const because = error instanceof Error ? error.message.slice(0, 500) : String(error);
    throw registryError('LS_REGISTRY_SCHEMA_UNREADABLE', `schema ${schemaId} of the schema registry cannot be used: ${because}`, { schemaId }, { cause: error });
  }
}
