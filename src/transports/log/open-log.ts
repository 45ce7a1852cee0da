/**
 * Opens the log of a directory for a process of any role. There is one owner per directory (owner-lock.ts); while it lives it serves
 * everybody else over a local socket (socket-server.ts).
 *
 *   role 'owner-required'   `run`: it owns the directory until it closes it. Where another such owner lives it is refused at once
 *                           (LS_LOG_OWNED). One of role 'any' is asked to hand over, which takes as long as its open commits.
 *   role 'any'              `publish`, `tail`, `clusters`: it works through the owner, or owns the directory while nobody else does, and hands
 *                           it over when asked; calls then go on through the new owner, unnoticed.
 *
 * Between an owner's lock and its socket, and between an owner's end and the next one, there is a gap: both roles try again for a bounded
 * time.
 */
import type { Random } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { logError } from '../../core/errors/log.ts';
import { acquireOwnerLock, type OwnerLock } from './owner-lock.ts';
import type { LogStore } from './log-store.ts';
import { startRetentionLoop, type RetentionLoop } from './retention-loop.ts';
import { openSegmentLogStore, type SegmentLogStoreOptions } from './segment-log-store.ts';
import { shareLogStore, type LogSession, type SessionEnd } from './shared-log-store.ts';
import { connectToOwner, type SocketLogStore } from './socket-log-store.ts';
import { socketPathOf } from './socket-path.ts';
import { serveLog } from './socket-server.ts';

export type OpenLogOptions = SegmentLogStoreOptions & {
  readonly role: 'owner-required' | 'any';
  readonly random: Random;
  /** Whether a log that there is not is refused; left out: it is made. */
  readonly mustExist?: boolean;
  /** How often the owner looks for what is beyond retention; left out: never, whatever the retention. */
  readonly retentionCheckMs?: number;
  /** Told of a look that failed; the next one comes. */
  readonly retentionFailed?: (error: unknown) => void;
  /** How long to wait for an owner to answer or to hand over; 10 s unless told. */
  readonly waitMsMax?: number;
  /** Told once when there is something to wait for, so that a person knows. */
  readonly waiting?: (message: string) => void;
};

const defaultWaitMsMax = 10_000;
const helloMsMax = 2_000;
const closeMsMax = 5_000;
const retryMs = 25;
/** After a handover the process that asked for the directory comes first. */
const successorMs = 1_000;

/** Rejects with LS_LOG_MISSING, LS_LOG_OWNED, LS_LOG_OWNER_UNREACHABLE, LS_LOG_LOCK_FAILED, and as `openSegmentLogStore` and `serveLog` do. */
export async function openLog(options: OpenLogOptions): Promise<LogStore> {
  const { directory, fileSystem, mustExist = false } = options;
  // Before the lock is tried, whose file would be the first of a new log.
  if (mustExist && (await fileSystem.list(directory)).length === 0) throw logError('LS_LOG_MISSING', `There is no log at ${directory}.`, { directory });
  return shareLogStore((before, signal) => openSession(options, before, signal));
}

async function openSession(options: OpenLogOptions, before: SessionEnd | undefined, signal: AbortSignal): Promise<LogSession> {
  const { clock, directory, random } = options;
  const startMs = clock.elapsedMs();
  const waitMsMax = options.waitMsMax ?? defaultWaitMsMax;
  const lockAfterMs = before === 'yielded' ? Math.min(successorMs, waitMsMax) : 0;
  let told = false;
  while (!signal.aborted) {
    const waitedMs = clock.elapsedMs() - startMs;
    if (waitedMs >= lockAfterMs) {
      const lock = await acquireOwnerLock(directory);
      if (lock !== undefined) return ownedSession(options, lock);
    }
    const owner = await reachOwner(directory);
    if (owner !== undefined && options.role === 'any') return reachedSession(owner);
    if (owner !== undefined) await askForHandover(owner, directory);
    if (waitedMs >= waitMsMax) throw stillOwned(options, Math.round(waitedMs));
    if (!told) options.waiting?.(`Another process owns the log directory ${directory}; waiting up to ${waitMsMax} ms for it.`);
    told = true;
    await clock.sleep(retryMs * (0.5 + random()), signal);
  }
  throw logError('LS_LOG_CLOSED', 'The log was closed while it was being opened.');
}

/** Undefined where nobody answers yet, or any more. */
async function reachOwner(directory: string): Promise<SocketLogStore | undefined> {
  try {
    return await connectToOwner(await socketPathOf(directory), helloMsMax);
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_LOG_OWNER_LOST') return undefined;
    throw error;
  }
}

async function askForHandover(owner: SocketLogStore, directory: string): Promise<void> {
  const { pid, keeps } = owner.owner;
  try {
    if (keeps) throw logError('LS_LOG_OWNED', `Process ${pid} owns the log directory ${directory}.`, { directory, pid });
    await owner.requestYield();
  } catch (error) {
    // It left without an answer, which is as good.
    if (!(error instanceof LabelstreamError && error.code === 'LS_LOG_OWNER_LOST')) throw error;
  } finally {
    await owner.close();
  }
}

function stillOwned({ role, directory }: OpenLogOptions, waitedMs: number): Error {
  if (role === 'any') {
    return logError('LS_LOG_OWNER_UNREACHABLE', `The owner of the log directory ${directory} did not answer for ${waitedMs} ms.`, { directory });
  }
  return logError('LS_LOG_OWNED', `Another process owned the log directory ${directory} for ${waitedMs} ms and did not let go.`, { directory });
}

function reachedSession(owner: SocketLogStore): LogSession {
  return { store: owner, ending: owner.leaving, ended: owner.ended, close: owner.close };
}

/** The lock is released last, whatever fails: who gets it finds the directory at rest. */
async function ownedSession(options: OpenLogOptions, lock: OwnerLock): Promise<LogSession> {
  const ending = new AbortController();
  const ended = Promise.withResolvers<SessionEnd>();
  let closing: Promise<void> | undefined;
  try {
    const { store, stopRetention } = await openRetaining(options);
    const end = (how: 'yielded' | 'closed'): Promise<void> => {
      ending.abort();
      closing ??= server
        .close(how)
        .then(stopRetention)
        .then(() => store.close())
        .finally(() => {
          lock.release();
          ended.resolve(how);
        });
      return closing;
    };
    const server = await serveLog(store, {
      path: await socketPathOf(options.directory),
      keeps: options.role === 'owner-required',
      // What was acknowledged is durable: a store that fails to close has lost nothing that the new owner could miss.
      onYield: () => void end('yielded').catch(() => undefined),
      closeMsMax,
    }).catch(async (error: unknown) => {
      await stopRetention();
      await store.close();
      throw error;
    });
    return { store, ending: ending.signal, ended: ended.promise, close: () => end('closed') };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openRetaining(options: OpenLogOptions): Promise<{ readonly store: LogStore; readonly stopRetention: () => Promise<void> }> {
  const { clock, retentionCheckMs: intervalMs, retentionFailed: failed = () => undefined, observer = {} } = options;
  let loop: RetentionLoop | undefined;
  const segmentRolled = (path: string): void => {
    observer.segmentRolled?.(path);
    loop?.wake();
  };
  const store = await openSegmentLogStore({ ...options, observer: { ...observer, segmentRolled } });
  if (intervalMs !== undefined) loop = startRetentionLoop({ clock, intervalMs, retain: store.retain, failed });
  return { store, stopRetention: () => loop?.stop() ?? Promise.resolve() };
}
