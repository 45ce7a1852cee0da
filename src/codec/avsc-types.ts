/**
 * avsc's types for a schema, of which some are read or written otherwise than avsc would:
 *
 * | Avro             | here                        | why                                                                                      |
 * |------------------|-----------------------------|------------------------------------------------------------------------------------------|
 * | long             | bigint                      | sequences and offsets are 64 bits                                                        |
 * | timestamp-millis | number                      | avsc lets the last bit of very large ones go wrong                                       |
 * | map              | object without a prototype  | a key `__proto__` or `constructor` is a key like any other; written in order of the keys |
 * | enum             | string                      | avsc takes `constructor` for a symbol                                                    |
 * | string           | well-formed string          | avsc writes half a surrogate pair as bytes that are no UTF-8                             |
 * | bytes            | Buffer, a view of the value | a record in flight is held anyway; a copy of each image made a quarter of the garbage    |
 * | float, double    | number, NaN with one bit pattern | equal events are equal bytes                                                        |
 *
 * The underscored methods are avsc's own extension points between its types; its version is pinned, and the codec's tests hold each row.
 */
import avsc, { type Type } from 'avsc';
import { timestampMaxMs } from './avro-guard.ts';
import type { SchemaNode } from './schema-model.ts';
import { schemaJson } from './schema-text.ts';

type Tap = {
  readonly buf: Buffer;
  pos: number;
  readLong: () => number;
  skipLong: () => void;
  readString: () => string;
  writeLong: (value: number) => void;
  writeString: (value: string) => void;
  writeBytes: (value: Buffer) => void;
  writeFloat: (value: number) => void;
  writeDouble: (value: number) => void;
};
type Reading = { _read: (tap: Tap) => unknown };
type Writing = { _write: (tap: Tap, value: unknown) => void };
type Copying = { _copy: (value: unknown, options: unknown) => unknown };
type Hook = ((value: unknown, type: unknown) => void) | undefined;

function accept(valid: boolean, value: unknown, type: unknown, hook: Hook): boolean {
  if (!valid && hook !== undefined) hook(value, type);
  return valid;
}

function demand(valid: boolean, what: string): asserts valid {
  if (!valid) throw new TypeError(`not ${what}`);
}

const isLong = (value: unknown): value is bigint => typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
// Up to here avsc's arithmetic in doubles is exact, the zigzag's doubling included.
const exactMax = 2 ** 51;

class BigIntType extends avsc.types.LongType {
  static {
    // The name by which avsc tells longs that are no numbers, in unions for instance.
    Object.defineProperty(this.prototype, 'typeName', { value: 'abstract:long' });
    Object.defineProperty(this.prototype, '_concreteTypeName', { value: 'long' });
  }

  _check(value: unknown, _flags: unknown, hook?: Hook): boolean {
    return accept(isLong(value), value, this, hook);
  }

  _read(tap: Tap): bigint {
    const start = tap.pos;
    const rounded = tap.readLong();
    if (rounded > -exactMax && rounded < exactMax) return BigInt(rounded);
    let unsigned = 0n;
    for (let index = start; index < tap.pos; index++) unsigned |= BigInt((tap.buf[index] ?? 0) & 0x7f) << BigInt(7 * (index - start));
    return (unsigned >> 1n) ^ -(unsigned & 1n);
  }

  _write(tap: Tap, value: unknown): void {
    demand(isLong(value), 'a long');
    if (value > -exactMax && value < exactMax) {
      tap.writeLong(Number(value));
      return;
    }
    let unsigned = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; unsigned > 0x7fn; unsigned >>= 7n) tap.buf[tap.pos++] = Number(unsigned & 0x7fn) | 0x80;
    tap.buf[tap.pos++] = Number(unsigned);
  }

  _deref(): string {
    return 'long';
  }

  /** For defaults, which JSON gives as numbers. */
  _copy(value: unknown): bigint {
    if (typeof value === 'number') return BigInt(value);
    demand(isLong(value), 'a long');
    return value;
  }

  _update(resolver: Reading, writer: Reading & { readonly typeName: string }): void {
    if (writer.typeName === 'int') resolver._read = (tap) => BigInt(writer._read(tap) as number);
    if (writer.typeName === 'long' || writer.typeName === 'abstract:long') resolver._read = (tap) => this._read(tap);
  }
}

const isTimestamp = (value: unknown): value is number => Number.isInteger(value) && Math.abs(value as number) <= timestampMaxMs;

class TimestampType extends avsc.types.LongType {
  _check(value: unknown, _flags: unknown, hook?: Hook): boolean {
    return accept(isTimestamp(value), value, this, hook);
  }

  _read(tap: Tap): number {
    const value = tap.readLong();
    demand(isTimestamp(value), 'a timestamp');
    return value;
  }

  _write(tap: Tap, value: unknown): void {
    demand(isTimestamp(value), 'a timestamp');
    tap.writeLong(value);
  }
}

class WellFormedStringType extends avsc.types.StringType {
  _check(value: unknown, _flags: unknown, hook?: Hook): boolean {
    return accept(typeof value === 'string' && value.isWellFormed(), value, this, hook);
  }

  _write(tap: Tap, value: unknown): void {
    demand(typeof value === 'string' && value.isWellFormed(), 'a well-formed string');
    tap.writeString(value);
  }
}

class BytesViewType extends avsc.types.BytesType {
  _read(tap: Tap): Buffer {
    const length = tap.readLong();
    tap.pos += length;
    return tap.buf.subarray(tap.pos - length, tap.pos);
  }
}

class StableFloatType extends avsc.types.FloatType {
  _write(tap: Tap, value: unknown): void {
    demand(typeof value === 'number', 'a number');
    tap.writeFloat(Number.isNaN(value) ? NaN : value);
  }
}

class StableDoubleType extends avsc.types.DoubleType {
  _write(tap: Tap, value: unknown): void {
    demand(typeof value === 'number', 'a number');
    tap.writeDouble(Number.isNaN(value) ? NaN : value);
  }
}

const isDictionary = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

class DictionaryType extends avsc.types.MapType {
  _read(tap: Tap): Readonly<Record<string, unknown>> {
    const values = this.valuesType as Reading;
    const dictionary = Object.create(null) as Record<string, unknown>;
    let count: number;
    while ((count = tap.readLong()) !== 0) {
      if (count < 0) {
        count = -count;
        tap.skipLong();
      }
      for (; count > 0; count--) {
        const key = tap.readString();
        dictionary[key] = values._read(tap);
      }
    }
    return dictionary;
  }

  _write(tap: Tap, dictionary: unknown): void {
    demand(isDictionary(dictionary), 'an object');
    const values = this.valuesType as Writing;
    const keys = Object.keys(dictionary).sort();
    if (keys.length > 0) tap.writeLong(keys.length);
    for (const key of keys) {
      demand(key.isWellFormed(), 'a well-formed key');
      tap.writeString(key);
      values._write(tap, dictionary[key]);
    }
    tap.writeLong(0);
  }

  _copy(dictionary: unknown, options: unknown): Readonly<Record<string, unknown>> {
    demand(isDictionary(dictionary), 'an object');
    const values = this.valuesType as Copying;
    const copy = Object.create(null) as Record<string, unknown>;
    for (const [key, value] of Object.entries(dictionary)) copy[key] = values._copy(value, options);
    return copy;
  }
}

class SymbolType extends avsc.types.EnumType {
  _check(value: unknown, _flags: unknown, hook?: Hook): boolean {
    return accept(this.symbols.includes(value as string), value, this, hook);
  }

  _write(tap: Tap, value: unknown): void {
    const index = this.symbols.indexOf(value as string);
    demand(index !== -1, 'a symbol');
    tap.writeLong(index);
  }
}

const longType = new BigIntType();
const timestampType = new TimestampType();
const singletons: Readonly<Partial<Record<string, Type>>> = {
  long: longType,
  string: new WellFormedStringType(),
  bytes: new BytesViewType(),
  float: new StableFloatType(),
  double: new StableDoubleType(),
};

type AvscOptions = NonNullable<Parameters<typeof Type.forSchema>[1]>;
type TypeHook = NonNullable<AvscOptions['typeHook']>;

const typeHook: TypeHook = (schema, options) => {
  if (typeof schema === 'string') return singletons[schema];
  if (!isDictionary(schema)) return undefined;
  if (schema['type'] === 'map') return new DictionaryType(schema, options);
  if (schema['type'] === 'enum') return new SymbolType(schema, options);
  return schema['logicalType'] === 'timestamp-millis' ? timestampType : undefined;
};

/** Throws avsc's own errors (a default of the wrong type, for example). */
export function avscTypeOf(schema: SchemaNode): Type {
  return avsc.Type.forSchema(schemaJson(schema) as Parameters<typeof avsc.Type.forSchema>[0], { typeHook, omitRecordMethods: true });
}
