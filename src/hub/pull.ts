/** `models pull`: the files of a repository at one revision, in a directory, with a lock file beside it that says what they are to the last bit. */
import { copyFile, link, mkdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Clock, Random } from '../core/clock.ts';
import { pullError } from '../core/errors/pull.ts';
import { createDirectoryMirror } from './directory-mirror.ts';
import { download, lockedFile, mirrorRetry, sizeOf } from './download.ts';
import { chosenFiles, unlistedFiles } from './file-choice.ts';
import { createHttpMirror, mirrorUrl } from './http-mirror.ts';
import { lockPathOf, readLock, writeLock, type Lock, type LockedFile } from './lock-file.ts';
import { isCommit, type ListedFile, type Mirror } from './mirror.ts';
import { untoldBytesMaxDefault } from './pull-defaults.ts';
import { filesIn, openPlace, requireSpace, type Place } from './place.ts';

export type PullRequest = {
  readonly repository: string;
  /** A commit; a branch or tag where that is allowed. */
  readonly revision: string;
  readonly allowBranch: boolean;
  /** A URL, or a directory. */
  readonly from: string;
  /** Names and patterns; none: what is usually needed. */
  readonly files: readonly string[];
  readonly directory: string;
  /** Whether the lock file may be replaced by another. */
  readonly update: boolean;
  readonly token: string | undefined;
  /** The most bytes of a file whose size neither the list nor the host tells. */
  readonly untoldBytesMax?: number | undefined;
};

/** From outside: a bar, lines. */
export type PullObserver = {
  /** @param bytes of all files together; undefined where the mirror does not tell. */
  readonly planned?: (plan: { readonly repository: string; readonly revision: string; readonly files: number; readonly bytes: number | undefined }) => void;
  readonly progressed?: (now: { readonly path: string; readonly bytes: number }) => void;
  /** `how`: it was fetched, or it was there already. */
  readonly done?: (file: LockedFile & { readonly how: 'fetched' | 'there' }) => void;
  readonly retried?: (failure: { readonly path: string; readonly attempt: number; readonly error: unknown }) => void;
};

export type PullOptions = { readonly clock: Clock; readonly random: Random; readonly signal: AbortSignal; readonly observer?: PullObserver };

export type Pulled = Pick<Lock, 'repository' | 'revision' | 'resolvedFrom' | 'files'> & {
  readonly directory: string;
  readonly lockPath: string;
  readonly from: string;
  readonly fetchedFiles: number;
};

/** Rejects with LS_PULL_*. What has arrived by then stays beside the directory for the next pull; the directory is as it was. */
export async function pull(request: PullRequest, options: PullOptions): Promise<Pulled> {
  return pullFiles(request, options).catch((error: unknown) => {
    throw describedFailure(error, resolve(request.directory));
  });
}

/** What the file system says, as an error of ours. */
function describedFailure(error: unknown, directory: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  const isFull = ['ENOSPC', 'EDQUOT'].includes(String(error.code));
  return pullError(isFull ? 'LS_PULL_SPACE' : 'LS_PULL_TARGET', `${directory} cannot be pulled to: ${error.message}`, { directory }, { cause: error });
}

async function pullFiles(request: PullRequest, options: PullOptions): Promise<Pulled> {
  const directory = resolve(request.directory);
  const lockPath = lockPathOf(directory);
  requireNames(request);
  const lock = await readLock(lockPath);
  const mirror = mirrorOf(request);
  try {
    const plan = await planOf(request, mirror, lock, options);
    await requireOwn(directory, lock, request.update ? plan.files : []);
    await mkdir(dirname(directory), { recursive: true });
    const place = await openPlace(directory, plan.revision);
    try {
      const { files, fetchedFiles, isInPlace } = await gathered(plan, { mirror, place, directory, untoldBytesMax: request.untoldBytesMax ?? untoldBytesMaxDefault }, options);
      const { repository, revision } = plan;
      const pulled = { repository, revision, ...(plan.resolvedFrom === undefined ? {} : { resolvedFrom: plan.resolvedFrom }), files };
      const written: Lock = { format: 1, from: mirror.told, ...pulled };
      // A directory without a lock file is nobody's, and a lock file without its directory is kept: whatever this is killed between, the same command goes on.
      if (lock === undefined) await writeLock(lockPath, written);
      if (isInPlace) await place.keepOnly([]);
      else await place.moveIn();
      if (lock !== undefined && !isSame(lock, pulled)) await writeLock(lockPath, written);
      return { ...pulled, directory, lockPath, from: mirror.told, fetchedFiles };
    } finally {
      await place.leave();
    }
  } finally {
    await mirror.close();
  }
}

const repositoryName = /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;

/** Throws LS_PULL_NOT_FOUND. */
function requireNames({ repository, revision, allowBranch }: PullRequest): void {
  if (!repositoryName.test(repository)) throw pullError('LS_PULL_NOT_FOUND', `${JSON.stringify(repository)} is no name of a repository, such as OWNER/NAME`, { repository });
  if (isCommit(revision)) return;
  if (!allowBranch) throw pullError('LS_PULL_NOT_FOUND', `${JSON.stringify(revision)} is no commit of 40 digits: a branch or a tag may be something else tomorrow (--allow-branch takes it as it is now)`, { revision });
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/.test(revision) || revision.includes('..')) throw pullError('LS_PULL_NOT_FOUND', `${JSON.stringify(revision)} is no name of a branch or a tag`, { revision });
}

function mirrorOf({ from, repository, token }: PullRequest): Mirror {
  return /^https?:/i.test(from) ? createHttpMirror({ base: mirrorUrl(from), repository, token }) : createDirectoryMirror(resolve(from), repository);
}

type Plan = Pick<Lock, 'repository' | 'revision' | 'resolvedFrom'> & { readonly files: readonly ListedFile[] };

/** Rejects with LS_PULL_LOCK where it is not what the lock file says. */
async function planOf(request: PullRequest, mirror: Mirror, lock: Lock | undefined, options: PullOptions): Promise<Plan> {
  const { repository, revision, update, files: patterns } = request;
  const lockPath = lockPathOf(resolve(request.directory));
  if (lock !== undefined && lock.repository !== repository && !update) throw pullError('LS_PULL_LOCK', `${lockPath} is of ${lock.repository}, not of ${repository}`, { file: lockPath });
  // What the lock file says needs no list, which a mirror may not keep.
  if (lock !== undefined && lock.repository === repository && lock.revision === revision && patterns.length === 0 && !update) return lock;
  const listing = await mirrorRetry(options)(() => mirror.list(revision, options.signal));
  if (isCommit(revision) && listing.revision !== revision) throw pullError('LS_PULL_ANSWER', `asked for the revision ${revision}, ${mirror.told} lists ${listing.revision}`);
  if (!isCommit(listing.revision)) throw pullError('LS_PULL_NOT_FOUND', `${mirror.told} knows no revision ${JSON.stringify(revision)} of ${repository}`, { revision });
  const resolved = isCommit(revision) ? {} : { resolvedFrom: revision };
  const files = listing.files === undefined ? unlistedOr(patterns, mirror.told, repository, revision) : chosenFiles(listing.files, patterns);
  const plan: Plan = { repository, revision: listing.revision, ...resolved, files };
  if (lock === undefined || update) return plan;
  if (lock.revision !== plan.revision) throw pullError('LS_PULL_LOCK', `${lockPath} is of the revision ${lock.revision}; ${revision} is ${plan.revision}`, { file: lockPath });
  const missing = lock.files.find((locked) => !files.some(({ path }) => path === locked.path));
  if (missing !== undefined) throw pullError('LS_PULL_LOCK', `${lockPath} has ${missing.path}, which is not asked for`, { file: missing.path });
  return { ...plan, files: files.map((file) => asLocked(file, lock, lockPath)) };
}

function unlistedOr(patterns: readonly string[], told: string, repository: string, revision: string): readonly ListedFile[] {
  if (patterns.length > 0) return unlistedFiles(patterns);
  throw pullError('LS_PULL_NOT_FOUND', `${told} has no list of the files of ${repository} at ${revision}`, { repository, revision });
}

/** Throws LS_PULL_LOCK. */
function asLocked(file: ListedFile, lock: Lock, lockPath: string): ListedFile {
  const locked = lock.files.find(({ path }) => path === file.path);
  if (locked === undefined) throw pullError('LS_PULL_LOCK', `${lockPath} does not have ${file.path}`, { file: file.path });
  if ((file.sha256 ?? locked.sha256) === locked.sha256 && (file.sizeBytes ?? locked.sizeBytes) === locked.sizeBytes) return { ...file, ...locked };
  throw pullError('LS_PULL_LOCK', `${file.path} is listed with another size or SHA-256 than ${lockPath} says`, { file: file.path });
}

/** The directory is replaced as a whole: it may hold nothing but what an earlier pull put there. Rejects with LS_PULL_TARGET. */
async function requireOwn(directory: string, lock: Lock | undefined, planned: readonly ListedFile[]): Promise<void> {
  const files = await filesIn(directory);
  if (files.length === 0) return;
  if (lock === undefined) throw pullError('LS_PULL_TARGET', `${directory} is there already, and ${basename(lockPathOf(directory))} is not beside it`, { directory });
  const other = files.find((path) => ![...lock.files, ...planned].some((known) => known.path === path));
  if (other !== undefined) throw pullError('LS_PULL_TARGET', `${directory} holds ${other}, which is not in ${basename(lockPathOf(directory))}`, { directory });
}

type Gathering = { readonly mirror: Mirror; readonly place: Place; readonly directory: string; readonly untoldBytesMax: number };

type Gathered = { readonly files: LockedFile[]; readonly fetchedFiles: number; /** Of all that is wanted the directory has everything, and nothing else. */ readonly isInPlace: boolean };

/** All files of the plan, whole: in the place, unless the directory is as it should be. */
async function gathered({ repository, revision, files }: Plan, { mirror, place, directory, untoldBytesMax }: Gathering, options: PullOptions): Promise<Gathered> {
  const { observer = {}, signal } = options;
  const sizes = files.map(({ sizeBytes }) => sizeBytes);
  const bytes = sizes.some((size) => size === undefined) ? undefined : sizes.reduce<number>((total, size) => total + (size ?? 0), 0);
  observer.planned?.({ repository, revision, files: files.length, bytes });
  const there = new Map<ListedFile, FoundFile>();
  for (const file of files) {
    signal.throwIfAborted();
    const found = await foundFile(file, place, directory);
    if (found !== undefined) there.set(file, found);
  }
  await requireSpace(dirname(directory), await missingBytes(files.filter((file) => !there.has(file)), place));
  const locked: LockedFile[] = [];
  for (const file of files) {
    const found = there.get(file);
    const target = place.fileOf(file.path);
    await mkdir(dirname(target), { recursive: true });
    const watch = {
      arrived: (now: number) => observer.progressed?.({ path: file.path, bytes: now }),
      retried: (attempt: number, error: unknown) => observer.retried?.({ path: file.path, attempt, error }),
    };
    const { path, sizeBytes, sha256 } = found ?? (await download({ mirror, revision, file, part: place.partOf(file.path), target }, { ...options, ...watch, untoldBytesMax }));
    const done: LockedFile = { path, sizeBytes, sha256 };
    locked.push(done);
    observer.done?.({ ...done, how: found === undefined ? 'fetched' : 'there' });
  }
  const inDirectory = [...there.values()].filter(({ path, at }) => at !== place.fileOf(path));
  const isInPlace = inDirectory.length === files.length && (await filesIn(directory)).length === files.length;
  for (const { at, path } of isInPlace ? [] : inDirectory) await broughtAlong(at, place.fileOf(path));
  await place.keepOnly(files.map(({ path }) => path));
  return { files: locked, fetchedFiles: files.length - there.size, isInPlace };
}

/** `at`: where it lies. */
type FoundFile = LockedFile & { readonly at: string };

/** Undefined where it has to be fetched. */
async function foundFile(file: ListedFile, place: Place, directory: string): Promise<FoundFile | undefined> {
  for (const path of [place.fileOf(file.path), join(directory, file.path)]) {
    const found = await lockedFile(file.path, path).catch(() => undefined);
    // What was gathered is whole and was checked; what lies in the directory may have been changed since.
    const isRight = found !== undefined && (file.sha256 === undefined ? path === place.fileOf(file.path) : found.sha256 === file.sha256);
    if (isRight && (file.sizeBytes ?? found.sizeBytes) === found.sizeBytes) return { ...found, at: path };
  }
  return undefined;
}

async function missingBytes(files: readonly ListedFile[], place: Place): Promise<number> {
  let bytes = 0;
  for (const { path, sizeBytes = 0 } of files) bytes += Math.max(0, sizeBytes - (await sizeOf(place.partOf(path))));
  return bytes;
}

async function broughtAlong(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await link(from, to).catch(() => copyFile(from, to));
}

function isSame(lock: Lock, { repository, revision, files }: Pick<Lock, 'repository' | 'revision' | 'files'>): boolean {
  const text = (of: readonly LockedFile[]): string => JSON.stringify(of.map(({ path, sha256 }) => [path, sha256]).sort());
  return lock.repository === repository && lock.revision === revision && text(lock.files) === text(files);
}
