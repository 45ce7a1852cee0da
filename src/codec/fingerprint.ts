/**
 * The identity of a schema on the wire: CRC-64-AVRO over its Parsing Canonical Form, both as the Avro specification defines them
 * ("Transforming into Parsing Canonical Form", "Schema Fingerprints").
 */
import type { SchemaNode } from './schema-model.ts';

const emptyFingerprint = 0xc15d_213a_a4d7_a795n;

const table = BigUint64Array.from({ length: 256 }, (_, byte) => {
  let fingerprint = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) fingerprint = (fingerprint >> 1n) ^ (emptyFingerprint & -(fingerprint & 1n));
  return BigInt.asUintN(64, fingerprint);
});

/** CRC-64-AVRO (a Rabin fingerprint) as an unsigned number. */
export function rabinFingerprint(data: Uint8Array): bigint {
  let fingerprint = emptyFingerprint;
  for (const byte of data) fingerprint = (fingerprint >> 8n) ^ (table[Number(fingerprint & 0xffn) ^ byte] ?? 0n);
  return fingerprint;
}

export function schemaFingerprint(schema: SchemaNode): bigint {
  return rabinFingerprint(Buffer.from(canonicalForm(schema)));
}

/** Full names, only what parsing needs, in the fixed order of attributes, without space; a named type is spelled out where it comes first. */
export function canonicalForm(schema: SchemaNode): string {
  return render(schema, new Set());
}

function render(schema: SchemaNode, defined: Set<string>): string {
  if ('name' in schema) {
    if (defined.has(schema.name)) return JSON.stringify(schema.name);
    defined.add(schema.name);
  }
  switch (schema.kind) {
    case 'record': {
      const fields = schema.fields.map((field) => `{"name":"${field.name}","type":${render(field.type, defined)}}`);
      return `{"name":"${schema.name}","type":"record","fields":[${fields.join(',')}]}`;
    }
    case 'enum':
      return `{"name":"${schema.name}","type":"enum","symbols":${JSON.stringify(schema.symbols)}}`;
    case 'fixed':
      return `{"name":"${schema.name}","type":"fixed","size":${String(schema.size)}}`;
    case 'array':
      return `{"type":"array","items":${render(schema.items, defined)}}`;
    case 'map':
      return `{"type":"map","values":${render(schema.values, defined)}}`;
    case 'union':
      return `[${schema.branches.map((branch) => render(branch, defined)).join(',')}]`;
    case 'null':
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'bytes':
    case 'string':
      return JSON.stringify(schema.kind);
  }
}
