import { describe, expect, test, vi } from 'vitest';
import { logError } from '../../../src/core/errors/log.ts';
import type { LogStore } from '../../../src/transports/log/log-store.ts';
import { shareLogStore, type LogSession, type SessionEnd } from '../../../src/transports/log/shared-log-store.ts';
import { code, outputs } from '../../conformance/transport-harness.ts';
import { createMemoryLogStore } from './memory-log-store.ts';

const commit = { records: outputs('events', 0, 0, 1), checkpoints: [] };
const never = new AbortController().signal;

/** Sessions on one log whose next call can be made to end them. */
function sessions() {
  const log = createMemoryLogStore();
  const opened: (SessionEnd | undefined)[] = [];
  const faults: (() => Error)[] = [];
  const open = (before: SessionEnd | undefined): Promise<LogSession> => {
    opened.push(before);
    const ending = new AbortController();
    const ended = Promise.withResolvers<SessionEnd>();
    const end = (how: SessionEnd): Promise<void> => {
      ending.abort();
      ended.resolve(how);
      return Promise.resolve();
    };
    const faulty = async <Result>(call: () => Promise<Result>): Promise<Result> => {
      const fault = faults.shift();
      if (fault === undefined) return call();
      await end('lost');
      throw fault();
    };
    const store: LogStore = {
      ...log,
      topics: () => faulty(log.topics),
      bounds: (location) => faulty(() => log.bounds(location)),
      commit: (transaction) => faulty(() => log.commit(transaction)),
      waitForRecords: (location, endSequence, signal) => faulty(() => log.waitForRecords(location, endSequence, signal)),
    };
    return Promise.resolve({ store, ending: ending.signal, ended: ended.promise, close: () => end('closed') });
  };
  return { log, opened, faults, open };
}

const lost = (sent: boolean) => () => logError('LS_LOG_OWNER_LOST', 'Gone.', { sent });
const closed = () => logError('LS_LOG_CLOSED', 'Closed.');

describe('a call whose session ends', () => {
  test('is made again in the next, if it only reads', async () => {
    const { faults, open, opened } = sessions();
    const store = await shareLogStore(open);
    await store.createTopic('events', 1);
    faults.push(lost(true), lost(false), closed);
    expect(await store.bounds({ topic: 'events', partition: 0 })).toEqual({ startSequence: 0n, endSequence: 0n });
    expect(opened).toEqual([undefined, 'lost', 'lost', 'lost']);
  });

  test('is made again, if it is a commit that was never sent', async () => {
    const { faults, log, open } = sessions();
    const store = await shareLogStore(open);
    await store.createTopic('events', 1);
    faults.push(lost(false), closed);
    await store.commit(commit);
    expect((await log.bounds({ topic: 'events', partition: 0 })).endSequence).toBe(1n);
  });

  test('is the caller\'s affair, if it is a commit that was sent', async () => {
    const { faults, log, open } = sessions();
    const store = await shareLogStore(open);
    await store.createTopic('events', 1);
    faults.push(lost(true));
    await expect(store.commit(commit)).rejects.toMatchObject({ code: 'LS_LOG_OWNER_LOST', details: { sent: true } });
    expect((await log.bounds({ topic: 'events', partition: 0 })).endSequence).toBe(0n);
    await store.commit(commit);
    expect((await log.bounds({ topic: 'events', partition: 0 })).endSequence).toBe(1n);
  });

  test('fails after five owners that died of it', async () => {
    const { faults, open, opened } = sessions();
    const store = await shareLogStore(open);
    faults.push(...Array.from({ length: 10 }, () => lost(true)));
    expect(await code(store.topics())).toBe('LS_LOG_OWNER_LOST');
    expect(opened).toHaveLength(5);
  });

  test('fails for other reasons at once', async () => {
    const { faults, open, opened } = sessions();
    const store = await shareLogStore(open);
    faults.push(() => logError('LS_LOG_FAILED', 'The disk is full.'));
    expect(await code(store.commit(commit))).toBe('LS_LOG_FAILED');
    expect(opened).toHaveLength(1);
  });
});

test('calls share one opening, and one that fails is tried again by the next call', async () => {
  const { faults, open } = sessions();
  const opening = vi.fn(open);
  const store = await shareLogStore(opening);
  faults.push(lost(true));
  opening.mockRejectedValueOnce(logError('LS_LOG_OWNER_UNREACHABLE', 'Nobody.'));
  expect(await code(store.topics())).toBe('LS_LOG_OWNER_UNREACHABLE');
  await Promise.all([store.topics(), store.topics(), store.topics()]);
  expect(opening).toHaveBeenCalledTimes(3);
});

test('closing while it opens again ends the opening', async () => {
  const { faults, open } = sessions();
  let aborted = false;
  const reopening = Promise.withResolvers<undefined>();
  const store = await shareLogStore((before, signal) => {
    if (before === undefined) return open(before);
    reopening.resolve(undefined);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(logError('LS_LOG_CLOSED', 'The log was closed while it was being opened.'));
      });
    });
  });
  await store.createTopic('events', 1);
  faults.push(lost(true));
  const waiting = code(store.waitForRecords({ topic: 'events', partition: 0 }, 0n, never));
  await reopening.promise;
  await store.close();
  expect(await waiting).toBe('LS_LOG_CLOSED');
  expect(aborted).toBe(true);
});
