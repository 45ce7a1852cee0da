/**
 * One log store for the life of a process, whoever owns the directory meanwhile. Each session under it is either the store on disk, owned
 * by this process and served to others, or the owner's store over its socket. When a session ends (the owner died, or ownership was handed
 * over), the next call opens another. Calls are repeated where that cannot do anything twice: of the commits only those that were never
 * sent.
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import { logError } from '../../core/errors/log.ts';
import type { LogStore } from './log-store.ts';
import type { Goodbye } from './socket-protocol.ts';

/** How a session ended: its owner handed the directory over, closed it, or was lost. */
export type SessionEnd = Goodbye | 'lost';

export type LogSession = {
  readonly store: LogStore;
  /** Aborts when the session takes no more calls. */
  readonly ending: AbortSignal;
  /** Resolves when nothing of the session is left. */
  readonly ended: Promise<SessionEnd>;
  readonly close: () => Promise<void>;
};

/** @param before how the session before it ended; undefined for the first. */
export type OpenSession = (before: SessionEnd | undefined, signal: AbortSignal) => Promise<LogSession>;

/** An owner that dies of what it is asked is asked this often. */
const attemptsMax = 5;

export async function shareLogStore(openSession: OpenSession): Promise<LogStore> {
  const closing = new AbortController();
  let session: Promise<LogSession> | undefined;

  const current = async (): Promise<LogSession> => {
    let before: SessionEnd | undefined;
    for (;;) {
      if (closing.signal.aborted) throw logError('LS_LOG_CLOSED', 'The log is closed.');
      const opening = (session ??= openSession(before, closing.signal));
      const forget = (): void => {
        if (session === opening) session = undefined;
      };
      const opened = await opening.catch((error: unknown) => {
        forget();
        throw error;
      });
      if (!opened.ending.aborted) return opened;
      before = await opened.ended;
      forget();
    }
  };
  const call = async <Result>(repeatable: boolean, operation: (opened: LogSession) => Promise<Result>): Promise<Result> => {
    for (let attempt = 1; ; attempt++) {
      const opened = await current();
      try {
        return await operation(opened);
      } catch (error) {
        if (attempt >= attemptsMax || !isEndOf(opened, error, repeatable)) throw error;
        await opened.ended;
      }
    }
  };

  await current();
  return {
    createTopic: (topic, partitionCount) => call(true, ({ store }) => store.createTopic(topic, partitionCount)),
    replaceTopic: (topic, formerIncarnation, partitionCount) => call(true, ({ store }) => store.replaceTopic(topic, formerIncarnation, partitionCount)),
    topics: () => call(true, ({ store }) => store.topics()),
    commit: (transaction) => call(false, ({ store }) => store.commit(transaction)),
    read: (topicPartition, fromSequence, budget) => call(true, ({ store }) => store.read(topicPartition, fromSequence, budget)),
    bounds: (topicPartition) => call(true, ({ store }) => store.bounds(topicPartition)),
    checkpoint: (group, topicPartition) => call(true, ({ store }) => store.checkpoint(group, topicPartition)),
    waitForRecords: async (topicPartition, endSequence, signal) => {
      // A wait that only its session ended goes on in the next one.
      for (let interrupted = true; interrupted && !signal.aborted; ) {
        interrupted = await call(true, async ({ store, ending }) => {
          await store.waitForRecords(topicPartition, endSequence, AbortSignal.any([signal, ending]));
          return ending.aborted;
        });
      }
    },
    close: async () => {
      closing.abort();
      const opened = await session?.catch(() => undefined);
      await opened?.close();
    },
  };
}

/** Whether a call failed only because its session ended, and may be made again in the next. */
function isEndOf(opened: LogSession, error: unknown, repeatable: boolean): boolean {
  if (!(error instanceof LabelstreamError)) return false;
  if (error.code === 'LS_LOG_OWNER_LOST') return repeatable || error.details['sent'] === false;
  return error.code === 'LS_LOG_CLOSED' && opened.ending.aborted;
}
