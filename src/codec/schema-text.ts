/**
 * A schema as JSON again, self-contained and with all that it was read with: defaults, aliases, documentation. What a registry is given, and avsc:
 * every type says its namespace, because avsc derives that of nested names otherwise than the specification.
 */
import type { SchemaNode } from './schema-model.ts';

export function schemaText(schema: SchemaNode): string {
  return JSON.stringify(schemaJson(schema));
}

export function schemaJson(schema: SchemaNode): unknown {
  return jsonOf(schema, new Set());
}

function jsonOf(schema: SchemaNode, defined: Set<string>): unknown {
  if ('name' in schema) {
    if (defined.has(schema.name)) return referenceTo(schema.name);
    defined.add(schema.name);
  }
  switch (schema.kind) {
    case 'record': {
      const fields = schema.fields.map((field) => ({
        name: field.name,
        type: jsonOf(field.type, defined),
        ...docOf(field),
        ...aliasesOf(field.aliases),
        ...('default' in field ? { default: field.default } : {}),
      }));
      return { type: 'record', ...namesOf(schema.name), ...docOf(schema), ...aliasesOf(schema.aliases.map(referenceTo)), fields };
    }
    case 'enum':
      return { type: 'enum', ...namesOf(schema.name), ...docOf(schema), ...aliasesOf(schema.aliases.map(referenceTo)), symbols: [...schema.symbols], ...(schema.default === undefined ? {} : { default: schema.default }) };
    case 'fixed':
      return { type: 'fixed', ...namesOf(schema.name), ...docOf(schema), ...aliasesOf(schema.aliases.map(referenceTo)), size: schema.size };
    case 'array':
      return { type: 'array', items: jsonOf(schema.items, defined) };
    case 'map':
      return { type: 'map', values: jsonOf(schema.values, defined) };
    case 'union':
      return schema.branches.map((branch) => jsonOf(branch, defined));
    case 'long':
      return schema.timestamp ? { type: 'long', logicalType: 'timestamp-millis' } : 'long';
    case 'null':
    case 'boolean':
    case 'int':
    case 'float':
    case 'double':
    case 'bytes':
    case 'string':
      return schema.kind;
  }
}

/** The namespace is always said: a nested type would take that around it. */
function namesOf(fullName: string): { readonly name: string; readonly namespace: string } {
  const dot = fullName.lastIndexOf('.');
  return { name: fullName.slice(dot + 1), namespace: fullName.slice(0, Math.max(0, dot)) };
}

/** A name without a dot would be one of the namespace around it. */
function referenceTo(fullName: string): string {
  return fullName.includes('.') ? fullName : `.${fullName}`;
}

function aliasesOf(aliases: readonly string[]): Readonly<Record<string, unknown>> {
  return aliases.length === 0 ? {} : { aliases: [...aliases] };
}

function docOf({ doc }: { readonly doc?: string }): Readonly<Record<string, unknown>> {
  return doc === undefined ? {} : { doc };
}
