/** What was pulled, to the last bit, in a file beside the directory: it can be kept in version control where the weights are not. */
import { open, readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import { pullError } from '../core/errors/pull.ts';
import { confinedPath, unique } from '../models/manifest-parts.ts';

const lockFile = z.strictObject({
  format: z.literal(1),
  repository: z.string().min(1),
  revision: z.string().regex(/^[0-9a-f]{40}$/),
  /** The branch or tag that the revision was asked for by, if it was. */
  resolvedFrom: z.string().optional(),
  /** Where it was pulled from first. */
  from: z.string(),
  files: z
    .array(z.strictObject({ path: confinedPath, sizeBytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
    .min(1)
    .refine((files) => unique(files.map(({ path }) => path)), 'must not list a file twice'),
});

export type Lock = Readonly<z.infer<typeof lockFile>>;

export type LockedFile = Lock['files'][number];

/** @param directory that files are pulled to, absolute. */
export function lockPathOf(directory: string): string {
  return `${directory}.lock.json`;
}

/** Undefined where there is none. Rejects with LS_PULL_LOCK. */
export async function readLock(path: string): Promise<Lock | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code))) return undefined;
    throw pullError('LS_PULL_LOCK', `${path} cannot be read: ${messageOf(error)}`, { file: path }, { cause: error });
  }
  try {
    return lockFile.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ') : messageOf(error);
    throw pullError('LS_PULL_LOCK', `${path} is no lock file of a pull: ${why}`, { file: path }, { cause: error });
  }
}

/** Whole or not at all. */
export async function writeLock(path: string, lock: Lock): Promise<void> {
  const files = [...lock.files].sort((left, right) => (left.path < right.path ? -1 : 1));
  const beside = `${path}.new`;
  {
    await using handle = await open(beside, 'w');
    await handle.writeFile(`${JSON.stringify({ ...lock, files }, undefined, 2)}\n`);
    await handle.sync();
  }
  await rename(beside, path);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
