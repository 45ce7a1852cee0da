/**
 * Looks at a message before anything decodes it, so that no message, however malicious, can stall or kill the process.
 *
 * A decoder believes counts: seven bytes that claim an array of 10^9 items make it loop and allocate until the process dies. The guard walks
 * the same bytes by the same (writer's) schema, but makes no value of them. It accepts exactly what is one well-formed value of the schema,
 * from the first byte to the last, within budgets:
 *
 * - bytes: of the whole message; a length is compared with what is left before anything is skipped, so it cannot point outside;
 * - items: of all arrays and maps together. An item that takes bytes is bounded by them already, and a count that the remaining bytes cannot
 *   hold is refused before its first item; the budget is for items that take none (null, a record without fields);
 * - depth: of records, arrays and maps inside each other, which bounds the stack, here and in the decoder.
 *
 * So the work is at most proportional to bytes + items, and what the decoder does afterwards is too.
 *
 * A schema is compiled once to a tree of closures, one `Check` per type, that move one cursor.
 */
import { isUtf8 } from 'node:buffer';
import { codecError } from '../core/errors/codec.ts';
import type { RecordNode, SchemaNode } from './schema-model.ts';

export type DecodeLimits = {
  /** Length of the message. */
  readonly bytesMax: number;
  /** Items of all arrays and maps of the message; an entry of a map counts as four. */
  readonly itemsMax: number;
  /** Records, arrays and maps inside each other. */
  readonly depthMax: number;
};

/**
 * bytesMax: an inline image of today's cameras (about 10 MB) and room. itemsMax: decoding so many of the dearest items takes about 20 ms, less
 * than half the stall that the main loop is allowed. depthMax: the events of this program are at most 6 deep.
 */
export const defaultDecodeLimits: DecodeLimits = { bytesMax: 16 * 1024 * 1024, itemsMax: 100_000, depthMax: 64 };

/** Throws LS_CODEC_MALFORMED or LS_CODEC_LIMIT (details: reason, position) unless the bytes from `offset` on are one value of the schema. */
export type Guard = (bytes: Buffer, offset: number) => void;

type MalformedReason =
  | 'truncated' | 'trailing-bytes' | 'varint-too-long' | 'int-overflow' | 'long-overflow' | 'negative-length' | 'invalid-boolean'
  | 'invalid-utf8' | 'enum-index' | 'union-index' | 'block-size-mismatch' | 'timestamp-out-of-range';
type LimitReason = 'bytes' | 'items' | 'depth';

/**
 * Within this, on either side of 1970, a zigzag varint is exact in a double: the year 144,683. (A Date holds twice as much, 2^53 is twice as
 * much too, but the zigzag needs a bit of it, which avsc's own check of longs overlooks.)
 */
export const timestampMaxMs = 2 ** 52 - 1;

type Cursor = { readonly bytes: Buffer; position: number; readonly end: number; itemsLeft: number; depthLeft: number };
type Check = (cursor: Cursor) => void;

/** Throws LS_CODEC_SCHEMA_INVALID for a schema of which a few bytes, or none, would be very many values. */
export function compileGuard(schema: SchemaNode, limits: DecodeLimits): Guard {
  const check = compile(schema, new Map());
  return (bytes, offset) => {
    const end = bytes.length;
    const cursor = { bytes, position: offset, end, itemsLeft: limits.itemsMax, depthLeft: limits.depthMax };
    if (end > limits.bytesMax) throw overLimit(cursor, 'bytes');
    check(cursor);
    if (cursor.position !== end) throw malformed(cursor, 'trailing-bytes');
  };
}

function compile(schema: SchemaNode, records: Map<RecordNode, Check>): Check {
  switch (schema.kind) {
    case 'null':
      return checkNothing;
    case 'boolean':
      return checkBoolean;
    case 'int':
      return checkInt;
    case 'long':
      return schema.timestamp ? checkTimestamp : checkLong;
    case 'float':
      return fixedSizeCheck(4);
    case 'double':
      return fixedSizeCheck(8);
    case 'fixed':
      return fixedSizeCheck(schema.size);
    case 'bytes':
      return checkBytes;
    case 'string':
      return checkString;
    case 'enum':
      return enumCheck(schema.symbols.length);
    case 'union':
      return unionCheck(schema.branches.map((branch) => compile(branch, records)));
    case 'array':
      return itemsCheck(compile(schema.items, records), minimumBytes(schema.items), itemCost(schema.items));
    case 'map': {
      const checkValue = compile(schema.values, records);
      const checkEntry: Check = (cursor) => {
        checkString(cursor);
        checkValue(cursor);
      };
      return itemsCheck(checkEntry, 1 + minimumBytes(schema.values), mapEntryCost * itemCost(schema.values));
    }
    case 'record':
      return recordCheck(schema, records);
  }
}

// A record is compiled once, however often it is used: a recursive one would otherwise never end, and a doubling one (A holds two of B, B
// two of C ...) would explode.
function recordCheck(schema: RecordNode, records: Map<RecordNode, Check>): Check {
  const known = records.get(schema);
  if (known !== undefined) return known;
  if (emptyValues(schema) > emptyValuesMax) {
    throw codecError('LS_CODEC_SCHEMA_INVALID', `${schema.name} holds more than ${emptyValuesMax} values that take no bytes`);
  }
  const fields: Check[] = [];
  const check: Check = (cursor) => {
    if (--cursor.depthLeft < 0) throw overLimit(cursor, 'depth');
    for (const checkField of fields) checkField(cursor);
    cursor.depthLeft++;
  };
  records.set(schema, check);
  for (const field of schema.fields) fields.push(compile(field.type, records));
  return check;
}

const checkNothing: Check = () => undefined;

const checkBoolean: Check = (cursor) => {
  if (cursor.position >= cursor.end) throw malformed(cursor, 'truncated');
  if ((cursor.bytes[cursor.position] ?? 2) > 1) throw malformed(cursor, 'invalid-boolean');
  cursor.position++;
};

const checkInt: Check = (cursor) => {
  const value = readLong(cursor);
  if (value !== (value | 0)) throw malformed(cursor, 'int-overflow');
};

const checkLong: Check = (cursor) => {
  readLong(cursor);
};

const checkTimestamp: Check = (cursor) => {
  const milliseconds = readLong(cursor);
  if (milliseconds > timestampMaxMs || milliseconds < -timestampMaxMs) throw malformed(cursor, 'timestamp-out-of-range');
};

const checkBytes: Check = (cursor) => {
  const length = readLength(cursor);
  cursor.position += length;
};

const checkString: Check = (cursor) => {
  const length = readLength(cursor);
  const { bytes, position } = cursor;
  const stringEnd = position + length;
  // Most strings are short and ASCII, and a loop over them is faster than the call of isUtf8.
  const loopEnd = Math.min(stringEnd, position + 64);
  let index = position;
  while (index < loopEnd && (bytes[index] ?? 0) < 0x80) index++;
  if (index < stringEnd && !isUtf8(bytes.subarray(index, stringEnd))) throw malformed(cursor, 'invalid-utf8');
  cursor.position = stringEnd;
};

function fixedSizeCheck(size: number): Check {
  return (cursor) => {
    if (size > cursor.end - cursor.position) throw malformed(cursor, 'truncated');
    cursor.position += size;
  };
}

function enumCheck(symbolCount: number): Check {
  return (cursor) => {
    const index = readLong(cursor);
    if (index < 0 || index >= symbolCount) throw malformed(cursor, 'enum-index');
  };
}

function unionCheck(branches: readonly Check[]): Check {
  return (cursor) => {
    const checkBranch = branches[readLong(cursor)];
    if (checkBranch === undefined) throw malformed(cursor, 'union-index');
    checkBranch(cursor);
  };
}

/**
 * Arrays and maps are blocks, each a count and so many items, ended by a count of 0. A negative count is followed by the block's size in
 * bytes: decoders skip by that size, so it must be the true one.
 */
function itemsCheck(checkItem: Check, itemBytesMin: number, itemCost: number): Check {
  return (cursor) => {
    if (--cursor.depthLeft < 0) throw overLimit(cursor, 'depth');
    let count = readLong(cursor);
    while (count !== 0) {
      let blockEnd = -1;
      if (count < 0) {
        count = -count;
        const blockBytes = readLength(cursor);
        blockEnd = cursor.position + blockBytes;
      }
      if (count * itemBytesMin > cursor.end - cursor.position) throw malformed(cursor, 'truncated');
      cursor.itemsLeft -= count * itemCost;
      if (cursor.itemsLeft < 0) throw overLimit(cursor, 'items');
      for (let item = 0; item < count; item++) checkItem(cursor);
      if (blockEnd !== -1 && cursor.position !== blockEnd) throw malformed(cursor, 'block-size-mismatch');
      count = readLong(cursor);
    }
    cursor.depthLeft++;
  };
}

function readLength(cursor: Cursor): number {
  const length = readLong(cursor);
  if (length < 0) throw malformed(cursor, 'negative-length');
  if (length > cursor.end - cursor.position) throw malformed(cursor, 'truncated');
  return length;
}

/**
 * A zigzag varint of at most 10 bytes and 64 bits. Exact within 2^52; beyond, of the right sign and rounded, which is enough where the
 * question is only whether it is too large.
 */
function readLong(cursor: Cursor): number {
  const { bytes, end } = cursor;
  let position = cursor.position;
  if (position >= end) throw malformed(cursor, 'truncated');
  const first = bytes[position++] ?? 0;
  if (first < 0x80) {
    cursor.position = position;
    return (first >>> 1) ^ -(first & 1);
  }
  let byte: number;
  let unsigned = first & 0x7f;
  let scale = 0x80;
  const last = cursor.position + 9;
  do {
    if (position >= end) throw malformed(cursor, 'truncated');
    if (position > last) throw malformed(cursor, 'varint-too-long');
    byte = bytes[position++] ?? 0;
    unsigned += (byte & 0x7f) * scale;
    scale *= 0x80;
  } while (byte >= 0x80);
  // The tenth byte holds the 64th bit alone.
  if (position > last && byte > 1) throw malformed(cursor, 'long-overflow');
  cursor.position = position;
  return first % 2 === 0 ? unsigned / 2 : -(unsigned + 1) / 2;
}

/** No value of the schema takes fewer bytes. A lower bound for a recursive schema. */
function minimumBytes(schema: SchemaNode, known = new Map<RecordNode, number>()): number {
  switch (schema.kind) {
    case 'null':
      return 0;
    case 'float':
      return 4;
    case 'double':
      return 8;
    case 'fixed':
      return schema.size;
    case 'union':
      return 1 + (schema.branches.length === 0 ? 0 : Math.min(...schema.branches.map((branch) => minimumBytes(branch, known))));
    case 'record': {
      const before = known.get(schema);
      if (before !== undefined) return before;
      known.set(schema, 0);
      const bytes = schema.fields.reduce((sum, field) => sum + minimumBytes(field.type, known), 0);
      known.set(schema, bytes);
      return bytes;
    }
    case 'boolean':
    case 'int':
    case 'long':
    case 'bytes':
    case 'string':
    case 'enum':
    case 'array':
    case 'map':
      return 1;
  }
}

/**
 * Values without any byte inside one value of the schema, at most: the decoder makes them all the same, so each counts as an item where
 * it is inside one, and a schema whose records hold very many is refused. What is inside an array or map is counted there.
 */
const emptyValuesMax = 1000;

// An object of very many keys takes so many times longer to make than an array of as many strings.
const mapEntryCost = 4;

function itemCost(schema: SchemaNode): number {
  return Math.max(1, emptyValues(schema));
}

function emptyValues(schema: SchemaNode, known = new Map<RecordNode, number>()): number {
  switch (schema.kind) {
    case 'null':
      return 1;
    case 'union':
      return Math.max(0, ...schema.branches.map((branch) => (branch.kind === 'null' ? 0 : emptyValues(branch, known))));
    case 'record': {
      const before = known.get(schema);
      if (before !== undefined) return before;
      known.set(schema, 0);
      const count = schema.fields.reduce((sum, field) => sum + emptyValues(field.type, known), schema.fields.length === 0 ? 1 : 0);
      known.set(schema, count);
      return count;
    }
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'fixed':
    case 'bytes':
    case 'string':
    case 'enum':
    case 'array':
    case 'map':
      return 0;
  }
}

function malformed(cursor: Cursor, reason: MalformedReason): Error {
  return codecError('LS_CODEC_MALFORMED', `the value is malformed at byte ${cursor.position}: ${reason}`, { reason, position: cursor.position });
}

function overLimit(cursor: Cursor, reason: LimitReason): Error {
  return codecError('LS_CODEC_LIMIT', `the value exceeds the limit on ${reason} at byte ${cursor.position}`, {
    reason,
    position: cursor.position,
  });
}
