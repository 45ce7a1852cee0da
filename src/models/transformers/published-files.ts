/** The JSON files that a model was published with, read from the bytes that were hashed, and checked as far as they are used. */
import { posix } from 'node:path';
import type { z } from 'zod';
import { modelError } from '../../core/errors/model.ts';
import type { TransformerArtefacts } from '../repository.ts';

/** Throws LS_MODEL_LOAD. */
export function publishedFile<Schema extends z.ZodType>(artefacts: TransformerArtefacts, path: string, schema: Schema): z.output<Schema> {
  const result = schema.safeParse(publishedJson(artefacts, path));
  if (result.success) return result.data;
  return refuseFile(artefacts, path, result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

/** As publishedFile, of a file that need not be there. */
export function optionalFile<Schema extends z.ZodType>(artefacts: TransformerArtefacts, path: string, schema: Schema): z.output<Schema> | undefined {
  return artefacts.files.has(path) ? publishedFile(artefacts, path, schema) : undefined;
}

function publishedJson(artefacts: TransformerArtefacts, path: string): unknown {
  const bytes = artefacts.files.get(path);
  if (bytes === undefined) return refuseFile(artefacts, path, 'is not among the files of the manifest');
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    return refuseFile(artefacts, path, `is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Throws LS_MODEL_LOAD. */
export function refuseFile({ directory }: TransformerArtefacts, path: string, reason: string): never {
  throw modelError('LS_MODEL_LOAD', `${posix.join(directory, path)}: ${reason}`, { directory, file: path });
}
