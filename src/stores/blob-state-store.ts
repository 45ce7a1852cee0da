/**
 * Snapshots as blobs: `<prefix><stage>/<topic>-<incarnation>/<partition>/<20-digit sequence>.snapshot`, in the form of snapshot files.
 *
 * A snapshot is uploaded block by block and appears under its name in one step, when it is whole. It is never overwritten, and it is checked as it is
 * downloaded, from beginning to end before anything of it is used. What is held of it at once are a few blocks, whatever its size.
 *
 * While the container cannot be reached, reading and discarding wait (SEMANTICS.md, rule 22): without an answer nobody knows what the state is.
 * Writing gives up after some attempts, and after one where the snapshot before failed: the stage stands still while it is written, and a
 * missing snapshot costs only a longer restart.
 */
import type { Clock, Random } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { stateError } from '../core/errors/state.ts';
import { within } from '../pipeline/abort.ts';
import { codeOf, createRetry } from '../pipeline/retry.ts';
import { readSnapshotFile, writeSnapshotFile } from '../pipeline/snapshot-file.ts';
import {
  madeOf, newestFirst, partitionFolder, readNothing, readSnapshot, sequenceInName, snapshotName, snapshotsKept, stageFolder, tellingDiscardFailures, tellingWriteFailures,
  type Made,
} from '../pipeline/stored-snapshots.ts';
import type { ReadSnapshot, SnapshotHeader, SnapshotKey, StateStore } from '../pipeline/state-store.ts';
import type { BlobContainer, StoredBlob } from './blob-container.ts';
import { createBlobReader } from './blob-reader.ts';
import { createBlockUpload } from './block-upload.ts';

export type BlobStateStoreOptions = {
  readonly container: BlobContainer;
  /** Before every name; empty, or ends with a slash. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted when the store is not needed any more: ends every request and every wait. */
  readonly signal: AbortSignal;
  readonly limits?: Partial<BlobStoreLimits>;
  /** Told of every snapshot that is passed over, with LS_STATE_SNAPSHOT_CORRUPT. */
  readonly snapshotCorrupt?: (error: Error) => void;
  /** Told of every attempt after which another is made. */
  readonly retried?: (attempt: number, error: unknown) => void;
};

export type BlobStoreLimits = {
  /** Of an upload, and of what is read at once. */
  readonly blockBytes: number;
  readonly blocksInFlightMax: number;
  readonly requestTimeoutMs: number;
  readonly writeAttemptsMax: number;
};

const defaultLimits: BlobStoreLimits = { blockBytes: 4 * 1024 * 1024, blocksInFlightMax: 4, requestTimeoutMs: 15_000, writeAttemptsMax: 3 };
const backOff = { baseMs: 250, capMs: 10_000, waitedForCodes: new Set<string>() };

/** What a store does with its container, with the time-out and the attempts of each request. */
type Requests = {
  readonly patient: <Result>(request: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
  readonly bounded: <Result>(request: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
};
type Store = Requests & { readonly options: BlobStateStoreOptions; readonly limits: BlobStoreLimits };
type Found = { readonly blob: StoredBlob; readonly sequence: bigint };

/** The blob was removed since it was listed: its partition's owner wrote newer ones. */
class Gone extends Error {}

/** `write` rejects with LS_STATE_WRITE_FAILED and with what iterating over the chunks throws, `readNewest` also with what no waiting can help. */
export function createBlobStateStore(options: BlobStateStoreOptions): StateStore {
  const limits = { ...defaultLimits, ...options.limits };
  const attempts = { some: requester(options, limits, limits.writeAttemptsMax), one: requester(options, limits, 1) };
  let lastWriteFailed = false;
  const bounded: Requests['bounded'] = (request) => (lastWriteFailed ? attempts.one : attempts.some)(request);
  const store: Store = { options, limits, patient: requester(options, limits, Infinity), bounded };
  const writing = tellingWriteFailures((header, chunks) => write(store, header, chunks));
  return {
    write: async (header, chunks) => {
      try {
        await writing(header, chunks);
        lastWriteFailed = false;
      } catch (error) {
        // What the stage throws says nothing of the container.
        if (codeOf(error) === 'LS_STATE_WRITE_FAILED') lastWriteFailed = true;
        throw error;
      }
    },
    readNewest: (key, sequence, read, passedOver = options.snapshotCorrupt) => readNewest(store, { key, sequence }, read, passedOver),
    list: async (key, signal) => {
      const patient = signal === undefined ? store.patient : requester({ ...options, signal: AbortSignal.any([options.signal, signal]) }, limits, Infinity);
      return (await found(store, key, patient)).map((each) => each.sequence);
    },
    names: async (stage) => {
      const blobs = await store.patient((signal) => options.container.list(`${options.prefix}${stageFolder(stage)}/`, signal));
      return blobs.map(({ name }) => name.slice(options.prefix.length));
    },
    discardAbove: tellingDiscardFailures(async (key, sequence) => {
      const discarded = (await found(store, key, store.patient)).filter((each) => each.sequence > sequence);
      for (const { blob } of discarded) await store.patient((signal) => options.container.remove(blob, signal));
      return discarded.map((each) => each.sequence);
    }),
  };
}

function requester({ clock, random, signal, retried }: BlobStateStoreOptions, { requestTimeoutMs }: BlobStoreLimits, attemptsMax: number): Requests['patient'] {
  const retry = createRetry({ policy: { ...backOff, attemptsMax }, clock, random, signal, ...(retried === undefined ? {} : { retried }) });
  return (request) =>
    retry(async () => {
      signal.throwIfAborted();
      return await within(clock, requestTimeoutMs, signal, request);
    });
}

async function write(store: Store, header: SnapshotHeader, chunks: Iterable<Buffer>): Promise<void> {
  const { options, limits, bounded } = store;
  const { container } = options;
  const there = (await found(store, header, bounded)).find(({ sequence }) => sequence === header.sequence);
  if (there !== undefined) {
    if (!('corruption' in (await readBlob(store, there, header, readNothing, bounded)))) return;
    await bounded((signal) => container.remove(there.blob, signal));
  }
  const name = leafOf(options.prefix, header) + snapshotName(header.sequence);
  const upload = createBlockUpload({ ...limits, stage: (blockId, data) => bounded((signal) => container.stage(name, blockId, data, signal)) });
  await writeSnapshotFile(upload, header, chunks);
  const blockIds = await upload.finish();
  // There may be one by now: the first attempt at this very commit, whose answer was lost, or the same state by another hand.
  if ((await bounded((signal) => container.commit(name, blockIds, signal))) === 'exists') await requireWhole(store, header);
  await removeOld(store, header);
}

async function requireWhole(store: Store, header: SnapshotHeader): Promise<void> {
  const there = (await found(store, header, store.bounded)).find(({ sequence }) => sequence === header.sequence);
  if (there === undefined) throw stateError('LS_STATE_CONTAINER_REFUSED', 'the blocks of the upload are gone, and there is no such snapshot');
  const outcome = await readBlob(store, there, header, readNothing, store.bounded);
  if ('corruption' in outcome) throw outcome.corruption;
}

/** A snapshot that was just written is durable: old ones that cannot be removed now are tried again after the next. */
async function removeOld({ options, bounded, ...store }: Store, key: SnapshotKey): Promise<void> {
  try {
    const old = (await found({ options, bounded, ...store }, key, bounded)).slice(snapshotsKept);
    for (const { blob } of old) await bounded((signal) => options.container.remove(blob, signal));
  } catch {
    return;
  }
}

async function readNewest<Result>(
  store: Store,
  { key, sequence }: { readonly key: SnapshotKey; readonly sequence: bigint },
  read: ReadSnapshot<Result>,
  passedOver: ((error: Error) => void) | undefined,
): Promise<Result | undefined> {
  const { clock, random, signal, retried } = store.options;
  // Once is nothing to tell of: the owner wrote others meanwhile.
  const again = (attempt: number, error: unknown): void => (attempt > 1 ? retried?.(attempt, error) : undefined);
  const retry = createRetry({ policy: { ...backOff, attemptsMax: Infinity }, clock, random, signal, retried: again });
  const told = new Set<bigint>();
  // What the reader rejects with is not tried again.
  const made = await retry(async () => {
    try {
      for (const candidate of await found(store, key, store.patient)) {
        if (candidate.sequence > sequence) continue;
        const outcome = await readBlob(store, candidate, key, read, store.patient);
        if (!('corruption' in outcome)) return outcome;
        if (!told.has(candidate.sequence)) passedOver?.(outcome.corruption);
        told.add(candidate.sequence);
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      // A container that goes on listing what it does not give is not asked without a pause.
      throw stateError('LS_STATE_CONTAINER_UNREACHABLE', error.message, {}, { cause: error });
    }
  });
  return made && madeOf(made);
}

/** What the bytes say counts as corruption; that they cannot be had does not, and is thrown. */
async function readBlob<Result>(
  store: Store,
  { blob, sequence }: Found,
  key: SnapshotKey,
  read: ReadSnapshot<Result>,
  request: Requests['patient'],
): Promise<Made<Result> | { readonly corruption: Error }> {
  const outcome = await readSnapshot(framesOf(store, blob, request), store.options.container.describe(blob.name), { ...key, sequence }, read);
  if (!('failure' in outcome)) return outcome;
  const { failure } = outcome;
  if (failure instanceof LabelstreamError && failure.code === 'LS_STATE_SNAPSHOT_CORRUPT') return { corruption: failure };
  throw failure;
}

function framesOf({ options, limits }: Store, blob: StoredBlob, request: Requests['patient']): AsyncGenerator<Buffer> {
  const { container } = options;
  const reader = createBlobReader(blob.bytes, limits.blockBytes, async (offset, length) => {
    const bytes = await request((signal) => container.read(blob, offset, length, signal));
    if (bytes === 'gone') throw new Gone(`${container.describe(blob.name)} is listed, and is not there when it is read`);
    return bytes;
  });
  return readSnapshotFile(reader, container.describe(blob.name));
}

/** Of one partition, from newest to oldest. */
async function found({ options }: Store, key: SnapshotKey, request: Requests['patient']): Promise<readonly Found[]> {
  const leaf = leafOf(options.prefix, key);
  const blobs = await request((signal) => options.container.list(leaf, signal));
  return blobs
    .flatMap((blob) => {
      const sequence = sequenceInName(blob.name.slice(leaf.length));
      return sequence === undefined ? [] : [{ blob, sequence }];
    })
    .sort((left, right) => newestFirst(left.sequence, right.sequence));
}

function leafOf(prefix: string, key: SnapshotKey): string {
  return `${prefix}${partitionFolder(key)}/`;
}
