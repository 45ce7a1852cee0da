/** The way from a writer's bytes to a reader's value: the guard looks, then avsc decodes and resolves the one schema to the other. */
import type { Type } from 'avsc';
import { codecError } from '../core/errors/codec.ts';
import { compileGuard, type DecodeLimits, type Guard } from './avro-guard.ts';
import { avscTypeOf } from './avsc-types.ts';
import { canonicalForm } from './fingerprint.ts';
import type { SchemaNode } from './schema-model.ts';

export type Reader = { readonly schema: SchemaNode; readonly canonical: string; readonly type: Type };
export type Decoder = { readonly guard: Guard; readonly decode: (bytes: Buffer, offset: number) => unknown };

/** Throws LS_CODEC_SCHEMA_INVALID for what the parser admits and Avro does not, a default of the wrong type for example. */
export function compileReader(schema: SchemaNode): Reader {
  return { schema, canonical: canonicalForm(schema), type: typeOf(schema) };
}

/** Throws LS_CODEC_INCOMPATIBLE where what the writer wrote cannot be read as the reader's type. */
export function compileDecoder(writer: SchemaNode, reader: Reader, limits: DecodeLimits): Decoder {
  const guard = compileGuard(writer, limits);
  const resolver = canonicalForm(writer) === reader.canonical ? undefined : resolverOf(reader, typeOf(writer));
  return {
    guard,
    decode: (bytes, offset) => {
      guard(bytes, offset);
      return decodeGuarded(reader.type, bytes, offset, resolver);
    },
  };
}

type Resolver = ReturnType<Type['createResolver']>;

// What the guard accepts is a value of the writer's schema, but may be none of the reader's: a plain long read as a timestamp.
function decodeGuarded(type: Type, bytes: Buffer, offset: number, resolver: Resolver | undefined): unknown {
  try {
    const decoded = type.decode(bytes, offset, resolver);
    if (decoded.offset === bytes.length) return decoded.value;
  } catch (error) {
    throw unreadable(offset, error);
  }
  throw unreadable(offset, undefined);
}

function unreadable(position: number, cause: unknown): Error {
  return codecError('LS_CODEC_MALFORMED', "the value cannot be read as the reader's type", { reason: 'unreadable', position }, { cause });
}

function resolverOf(reader: Reader, writerType: Type): Resolver {
  try {
    return reader.type.createResolver(writerType);
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    throw codecError('LS_CODEC_INCOMPATIBLE', `the writer's schema cannot be read: ${because}`, {}, { cause: error });
  }
}

function typeOf(schema: SchemaNode): Type {
  try {
    return avscTypeOf(schema);
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    throw codecError('LS_CODEC_SCHEMA_INVALID', `the schema is invalid: ${because}`, {}, { cause: error });
  }
}
