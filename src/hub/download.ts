/**
 * One file, over as many connections as it takes. What has arrived lies in a part beside a note of what it is the beginning of, and is gone on from, by this
 * process or by the next one: what a host says has changed meanwhile, or cannot say, begins anew. Nobody sees the file before it is whole and is what was
 * expected.
 */
import { createHash, type Hash } from 'node:crypto';
import { open, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock, Random } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { pullError } from '../core/errors/pull.ts';
import { createRetry, isRetryable, type Retry } from '../pipeline/retry.ts';
import type { LockedFile } from './lock-file.ts';
import type { Beginning, ListedFile, Mirror, OpenedFile } from './mirror.ts';

export type Download = {
  readonly mirror: Mirror;
  readonly revision: string;
  readonly file: ListedFile;
  /** Where it grows, with `.json` the note beside it. */
  readonly part: string;
  /** Where it is moved to; its folder is there. */
  readonly target: string;
};

export type DownloadOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** The most bytes of a file whose size nobody tells. */
  readonly untoldBytesMax: number;
  /** Told of the bytes that are there by now, which may become fewer. */
  readonly arrived?: (bytes: number) => void;
  readonly retried?: (attempt: number, error: unknown) => void;
};


/** Of what a host asks for. */
const retryAfterMsMax = 300_000;
/** Without one more byte in between. */
const policy = { attemptsMax: 6, baseMs: 500, capMs: 30_000, waitedForCodes: new Set<string>() };

/** For what a mirror is asked: with longer and longer waits, and as long as it says. */
export function mirrorRetry({ clock, random, signal, retried }: Omit<DownloadOptions, 'arrived' | 'untoldBytesMax'>): Retry {
  const leastWaitMs = (error: unknown): number => (error instanceof LabelstreamError && typeof error.details['retryAfterMs'] === 'number' ? Math.min(error.details['retryAfterMs'], retryAfterMsMax) : 0);
  return createRetry({ policy, clock, random, signal, leastWaitMs, ...(retried === undefined ? {} : { retried }) });
}

/** Rejects with LS_PULL_*; what has arrived stays, but for what turned out to be wrong. */
export async function download(file: Download, options: DownloadOptions): Promise<LockedFile> {
  const { signal } = options;
  const retry = mirrorRetry(options);
  for (;;) {
    const before = await sizeOf(file.part);
    try {
      return await retry(() => attempt(file, options));
    } catch (error) {
      signal.throwIfAborted();
      if (!isRetryable(error) || (await sizeOf(file.part)) <= before) throw error;
    }
  }
}

async function attempt(file: Download, { signal, untoldBytesMax, arrived = () => undefined }: DownloadOptions): Promise<LockedFile> {
  const { mirror, revision, part } = file;
  const beginning = await beginningOf(part);
  const opened = await mirror.open({ revision, path: file.file.path, beginning }, signal);
  const isResumed = opened.offset > 0;
  try {
    const found = await received(file, opened, { arrived, untoldBytesMax, signal });
    requireExpected(file, found);
    await rename(part, file.target);
    await rm(noteOf(part), { force: true });
    return found.locked;
  } catch (error) {
    if (!(error instanceof LabelstreamError) || error.code !== 'LS_PULL_MISMATCH') throw error;
    await forget(part);
    // The beginning may have been another file's: a disk that lost its last writes, a host that keeps its marks when files change.
    if (isResumed) throw pullError('LS_PULL_UNAVAILABLE', `${error.message}; what was there is given up`, {}, { cause: error });
    throw error;
  }
}

type Watched = Pick<DownloadOptions, 'untoldBytesMax' | 'signal'> & { readonly arrived: (bytes: number) => void };

type Found = { readonly locked: LockedFile; readonly gitSha1: string | undefined };

/** Appends the body to the part, and hashes the whole of it. */
async function received({ file, part }: Download, { offset, sizeBytes, validator, body }: OpenedFile, { arrived, untoldBytesMax, signal }: Watched): Promise<Found> {
  if (offset === 0) await forget(part);
  if (validator !== undefined) await writeFile(noteOf(part), JSON.stringify({ validator }));
  const expected = file.sizeBytes ?? sizeBytes;
  const hashes = [createHash('sha256')];
  if (file.gitSha1 !== undefined && expected !== undefined) hashes.push(createHash('sha1').update(`blob ${expected}\0`));
  await using handle = await open(part, offset === 0 ? 'w' : 'r+');
  let bytes = await hashedBeginning(handle, offset, hashes);
  arrived(bytes);
  for await (const chunk of body) {
    signal.throwIfAborted();
    if (expected !== undefined && bytes + chunk.length > expected) throw pullError('LS_PULL_MISMATCH', `${file.path} has more than the ${expected} bytes that are expected`, { file: file.path });
    if (expected === undefined && bytes + chunk.length > untoldBytesMax) throw pullError('LS_PULL_SIZE', `${file.path}, of which nobody tells the size, has more than ${untoldBytesMax} bytes`, { file: file.path });
    await written(handle, chunk, bytes);
    for (const hash of hashes) hash.update(chunk);
    bytes += chunk.length;
    arrived(bytes);
  }
  // A host may close a connection in the midst of a body as if it had ended.
  if (sizeBytes !== undefined && bytes < sizeBytes) throw pullError('LS_PULL_UNAVAILABLE', `${file.path} broke off after ${bytes} of ${sizeBytes} bytes`, { file: file.path });
  await handle.sync();
  const [sha256 = '', gitSha1] = hashes.map((hash) => hash.digest('hex'));
  return { locked: { path: file.path, sizeBytes: bytes, sha256 }, gitSha1 };
}

async function written(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
}

/** What lies behind the beginning is cut off. */
async function hashedBeginning(handle: FileHandle, sizeBytes: number, hashes: readonly Hash[]): Promise<number> {
  await handle.truncate(sizeBytes);
  if (sizeBytes === 0) return 0;
  for await (const chunk of handle.createReadStream({ autoClose: false, start: 0, end: sizeBytes - 1 }) as AsyncIterable<Buffer>) for (const hash of hashes) hash.update(chunk);
  return sizeBytes;
}

/** Throws LS_PULL_MISMATCH. */
function requireExpected({ file, mirror }: Download, { locked, gitSha1 }: Found): void {
  const wrong = (what: string, expected: string | number, found: string | number): Error =>
    pullError('LS_PULL_MISMATCH', `${file.path} from ${mirror.told} has the ${what} ${found}; ${expected} is expected`, { file: file.path });
  if (file.sizeBytes !== undefined && locked.sizeBytes !== file.sizeBytes) throw wrong('size', file.sizeBytes, locked.sizeBytes);
  if (file.sha256 !== undefined && locked.sha256 !== file.sha256) throw wrong('SHA-256', file.sha256, locked.sha256);
  if (file.gitSha1 !== undefined && gitSha1 !== undefined && gitSha1 !== file.gitSha1) throw wrong('SHA-1 of git', file.gitSha1, gitSha1);
}

const note = z.object({ validator: z.string().min(1) });

/** Undefined where there is nothing to go on from. */
async function beginningOf(part: string): Promise<Beginning | undefined> {
  const sizeBytes = await sizeOf(part);
  if (sizeBytes === 0) return undefined;
  try {
    const { validator } = note.parse(JSON.parse(await readFile(noteOf(part), 'utf8')));
    return { sizeBytes, validator };
  } catch {
    // Written by halves, or by nobody.
    return undefined;
  }
}

/** The note first: a part without one is nothing. */
async function forget(part: string): Promise<void> {
  await rm(noteOf(part), { force: true });
  await rm(part, { force: true });
}

function noteOf(part: string): string {
  return `${part}.json`;
}

/** 0 where there is none. */
export async function sizeOf(path: string): Promise<number> {
  return stat(path).then(({ size }) => size, () => 0);
}

/** Of a file that is there. */
export async function lockedFile(path: string, file: string): Promise<LockedFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await using handle = await open(file, 'r');
  for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { path, sizeBytes, sha256: hash.digest('hex') };
}
