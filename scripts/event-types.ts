// Renders the TypeScript types of the Avro schemas in schemas/, so that no event type is written by hand beside its schema.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

type Schema = string | readonly Schema[] | NamedSchema;
type NamedSchema = {
  readonly type: Schema;
  readonly name?: string;
  readonly namespace?: string;
  readonly doc?: string;
  readonly logicalType?: string;
  readonly fields?: readonly { readonly name: string; readonly type: Schema; readonly doc?: string }[];
  readonly symbols?: readonly string[];
  readonly items?: Schema;
  readonly values?: Schema;
};

const namespace = 'labelstream.v1';
const primitives: Readonly<Record<string, string>> = {
  null: 'null', boolean: 'boolean', string: 'string', bytes: 'Buffer', int: 'number', long: 'bigint', float: 'number', double: 'number',
};

/** The source text of src/core/events.generated.ts for the schemas in `directory`. */
export async function renderEventTypes(directory: string): Promise<string> {
  const declarations = new Map<string, string>();
  const files = (await readdir(directory)).filter((file) => file.endsWith('.avsc')).sort();
  for (const file of files) typeOf(JSON.parse(await readFile(join(directory, file), 'utf8')) as Schema, declarations);
  return [
    '// Generated from schemas/*.avsc by `npm run generate`; do not edit.',
    '// A union of several records is written as the codec reads it: an object whose only key is the full name of the branch.',
    '',
    [...declarations.values()].join('\n\n'),
    '',
  ].join('\n');
}

function typeOf(schema: Schema, declarations: Map<string, string>): string {
  if (typeof schema === 'string') return primitives[schema] ?? schema.replace(`${namespace}.`, '');
  if (isUnion(schema)) return unionOf(schema, declarations);
  if (typeof schema.type !== 'string') return typeOf(schema.type, declarations);
  if (schema.logicalType === 'timestamp-millis') return 'number';
  switch (schema.type) {
    case 'array': {
      const items = typeOf(schema.items ?? 'null', declarations);
      return `readonly ${/[ |]/.test(items) ? `(${items})` : items}[]`;
    }
    case 'map':
      return `Readonly<Record<string, ${typeOf(schema.values ?? 'null', declarations)}>>`;
    case 'enum':
      declarations.set(String(schema.name), declaration(schema, (schema.symbols ?? []).map((symbol) => `'${symbol}'`).join(' | ')));
      return String(schema.name);
    case 'record':
      return recordOf(schema, declarations);
    default:
      return typeOf(schema.type, declarations);
  }
}

function isUnion(schema: Schema): schema is readonly Schema[] {
  return Array.isArray(schema);
}

function recordOf(schema: NamedSchema, declarations: Map<string, string>): string {
  const lines = (schema.fields ?? []).map((field) => {
    const doc = field.doc === undefined ? '' : `  /** ${field.doc} */\n`;
    return `${doc}  readonly ${field.name}: ${typeOf(field.type, declarations)};`;
  });
  declarations.set(String(schema.name), declaration(schema, lines.length === 0 ? 'Readonly<Record<never, never>>' : `{\n${lines.join('\n')}\n}`));
  return String(schema.name);
}

function declaration(schema: NamedSchema, body: string): string {
  const doc = schema.doc === undefined ? '' : `/** ${schema.doc} */\n`;
  return `${doc}export type ${String(schema.name)} = ${body};`;
}

function unionOf(branches: readonly Schema[], declarations: Map<string, string>): string {
  const objects = branches.filter((branch) => typeof branch === 'object' && 'fields' in branch);
  return branches
    .map((branch) => {
      const type = typeOf(branch, declarations);
      return objects.length > 1 && objects.includes(branch) ? `{ readonly '${namespace}.${type}': ${type} }` : type;
    })
    .join(' | ');
}
