/**
 * The place of a model that is imported. Everything is written beside it first, and only what passed its proofs is moved there, in one step; otherwise
 * nothing new is left behind. A directory that is replaced is set aside first, as `.NAME.import-XXXXXX.old`: whoever kills the program between the two
 * steps finds it there, whole, and the next import tells of it. It also stays there, and the error names it, where another program fills the place between
 * the two steps.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { modelError } from '../core/errors/model.ts';
import type { Manifest } from './manifest.ts';
import { manifestName } from './repository.ts';

/** Paths are those of the manifest: relative, with forward slashes. */
export type DraftFile = { readonly path: string; readonly content: { readonly bytes: Uint8Array } | { readonly copyOf: string } };

export type WriteOptions = {
  /** Replace a directory that is there. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
};

export type ManifestFiles = Manifest['files'];

/**
 * @param prove writes the manifest beside the files, and rejects where the model fails its proofs. Rejects as it does, and with LS_MODEL_IMPORT (the directory
 * is there); nothing is left behind then, but a replaced directory that cannot be put back, which the message names.
 */
export async function madeInPlace<Proved>(
  directory: string,
  drafted: readonly DraftFile[],
  { force = false, signal }: WriteOptions,
  prove: (beside: string, files: ManifestFiles) => Promise<Proved>,
): Promise<{ readonly target: string; readonly proved: Proved; readonly left: readonly string[] }> {
  const target = resolve(directory);
  await refuseUnlessFree(target, force);
  const { made, beside } = await makeBeside(target);
  let done = false;
  try {
    const files = [];
    for (const file of drafted) files.push(await placed(beside, file));
    const proved = await prove(beside, files);
    signal?.throwIfAborted();
    await moveInto(target, beside, force);
    done = true;
    return { target, proved, left: await leftByOthers(target) };
  } finally {
    await rm(beside, { recursive: true, force: true });
    if (!done && made !== undefined) await removeEmpty(dirname(target), made);
  }
}

const besidePrefix = (target: string): string => `.${basename(target)}.import-`;

type Beside = { /** The topmost directory that had to be made for it. */ readonly made: string | undefined; readonly beside: string };

/** Another import below the same new directories may fail, and remove them while they are empty. */
async function makeBeside(target: string): Promise<Beside> {
  const parent = dirname(target);
  for (let attempt = 1; ; attempt += 1) {
    const made = await mkdir(parent, { recursive: true });
    try {
      return { made, beside: await mkdtemp(join(parent, besidePrefix(target))) };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

/** From `directory` up to `made`, as long as nothing lies in it: what others put there meanwhile is theirs. */
async function removeEmpty(directory: string, made: string): Promise<void> {
  for (let path = directory; path.length >= made.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
  }
}

/** Sentences about what imports to the same place left beside it, which somebody killed. */
async function leftByOthers(target: string): Promise<string[]> {
  const names = await readdir(dirname(target));
  return names
    .filter((name) => name.startsWith(besidePrefix(target)))
    .map((name) => `${join(dirname(target), name)} is ${name.endsWith('.old') ? 'what an earlier import set aside' : 'of another import'}: remove it if none runs`);
}

/** An empty directory is free. Rejects with LS_MODEL_IMPORT. */
async function refuseUnlessFree(target: string, force: boolean): Promise<void> {
  let entries: readonly string[];
  try {
    entries = await readdir(target);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw modelError('LS_MODEL_IMPORT', `${target} is no directory that can be written: ${messageOf(error)}`, { directory: target }, { cause: error });
  }
  if (entries.length === 0) return;
  if (!force) throw modelError('LS_MODEL_IMPORT', `${target} is there already; --force replaces it`, { directory: target });
  // What --force removes was a model's directory, not somebody's home.
  if (!entries.includes(manifestName)) {
    throw modelError('LS_MODEL_IMPORT', `${target} is there and no directory of a model: it has no ${manifestName}`, { directory: target });
  }
}

async function placed(directory: string, { path, content }: DraftFile): Promise<ManifestFiles[number]> {
  const target = join(directory, path);
  await mkdir(dirname(target), { recursive: true });
  if ('bytes' in content) await writeFile(target, content.bytes);
  else await copyFile(content.copyOf, target);
  // Of what lies there now: that is what will be read.
  const bytes = await readFile(target);
  return { path: posix.normalize(path), sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
}

/** Rejects with LS_MODEL_IMPORT where another program was faster, and names what was set aside where that cannot be put back. */
async function moveInto(target: string, beside: string, force: boolean): Promise<void> {
  const aside = `${beside}.old`;
  const wasThere = force && (await renamedIfThere(target, aside));
  try {
    // An empty directory is replaced, any other is not.
    await rename(beside, target);
  } catch (error) {
    const isKept = wasThere && !(await putBack(aside, target));
    const kept = isKept ? `; the model that was there is now ${aside}` : '';
    if (isFilled(error)) throw modelError('LS_MODEL_IMPORT', `${target} was filled by another program meanwhile${kept}`, { directory: target }, { cause: error });
    if (isKept) throw modelError('LS_MODEL_IMPORT', `${beside} cannot be moved to ${target}: ${messageOf(error)}${kept}`, { directory: target }, { cause: error });
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** False where its place is not free any more: nothing of others is overwritten, and what was set aside stays there. */
async function putBack(aside: string, target: string): Promise<boolean> {
  try {
    await rename(aside, target);
    return true;
  } catch {
    return false;
  }
}

async function renamedIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function isFilled(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(String(codeOf(error)));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
