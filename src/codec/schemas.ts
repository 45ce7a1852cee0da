/**
 * Reads directories of Avro schemas (*.avsc, JSON). A schema may refer to types that it does not define by their full name; they are looked
 * up in the same directory, in the file of that name, and never anywhere else, so that a directory always means the same.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codecError } from '../core/errors/codec.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { parseSchema, type SchemaNode } from './schema-model.ts';

export type LoadedSchema = {
  /** Path of the file. */
  readonly file: string;
  /** Full name; undefined where the schema is of a type without a name. */
  readonly name: string | undefined;
  /** Self-contained: what it refers to is in it. */
  readonly schema: SchemaNode;
  /** Another file of the directory refers to it. */
  readonly referenced: boolean;
};

/** schemas/ lies beside src/ in the repository, and beside dist/ in the packed package. */
export const ownSchemaDirectory = join(import.meta.dirname, '..', '..', 'schemas');

const fileBytesMax = 1024 * 1024;

/** Sorted by file name. Rejects with LS_CODEC_SCHEMA_INVALID, which names the file or directory. */
export async function loadSchemaDirectory(directory: string): Promise<readonly LoadedSchema[]> {
  const fileNames = await readdir(directory).catch((error: unknown) => {
    throw invalidFile(directory, 'the schema directory cannot be read', error);
  });
  const sources = new Map<string, unknown>();
  for (const fileName of fileNames.filter((name) => name.endsWith('.avsc')).sort()) {
    sources.set(fileName.slice(0, -'.avsc'.length), await readJson(join(directory, fileName)));
  }
  const referenced = new Set<string>();
  const resolve = (name: string): unknown => {
    if (sources.has(name)) referenced.add(name);
    return sources.get(name);
  };
  const parsed = [...sources].map(([stem, json]) => {
    const file = join(directory, `${stem}.avsc`);
    const schema = parseFile(file, json, resolve);
    return { file, schema, name: 'name' in schema ? schema.name : undefined };
  });
  return parsed.map((schema) => ({ ...schema, referenced: schema.name !== undefined && referenced.has(schema.name) }));
}

async function readJson(file: string): Promise<unknown> {
  try {
    if ((await stat(file)).size > fileBytesMax) throw new RangeError(`it is larger than ${fileBytesMax} bytes`);
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw invalidFile(file, 'the schema file cannot be read', error);
  }
}

function parseFile(file: string, json: unknown, resolve: (name: string) => unknown): SchemaNode {
  try {
    return parseSchema(json, resolve);
  } catch (error) {
    if (error instanceof LabelstreamError) throw invalidFile(file, 'the schema is invalid', error);
    throw error;
  }
}

function invalidFile(file: string, what: string, cause: unknown): LabelstreamError {
  const because = cause instanceof Error ? cause.message : String(cause);
  return codecError('LS_CODEC_SCHEMA_INVALID', `${file}: ${what}: ${because}`, { file }, { cause });
}
