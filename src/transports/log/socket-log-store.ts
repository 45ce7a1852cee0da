/** A log store reached over the owner's local socket: what every process but the owner works on. */
import { connect, type Socket } from 'node:net';
import { logError } from '../../core/errors/log.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import type { LogStore } from './log-store.ts';
import { callsOver, type Calls } from './socket-calls.ts';
import {
  packAppends, parsed, protocolVersion, readLimits, resultSchemas, unpackStored, wireCheckpoint, wireExpected, wireSequence,
  type Goodbye, type ResultOf,
} from './socket-protocol.ts';

export type SocketLogStore = LogStore & {
  readonly owner: { readonly pid: number; readonly keeps: boolean };
  /** Asks the owner to hand the directory over. Rejects with LS_LOG_OWNED where it keeps it. */
  readonly requestYield: () => Promise<void>;
  /** Aborts when this store takes no more calls. */
  readonly leaving: AbortSignal;
  /** Resolves when nothing of the connection is left: how its owner took leave, or `lost` where it did not. */
  readonly ended: Promise<Goodbye | 'lost'>;
};

/**
 * Undefined where nobody listens. Rejects with LS_LOG_OWNER_UNREACHABLE where the owner may not be reached, with LS_LOG_OWNER_LOST where it
 * does not answer in time, with LS_LOG_PROTOCOL_VERSION where it speaks another version.
 */
export async function connectToOwner(path: string, helloMsMax: number): Promise<SocketLogStore | undefined> {
  const socket = await connected(path);
  if (socket === undefined) return undefined;
  const calls = callsOver(socket);
  const impatience = setTimeout(() => socket.destroy(), helloMsMax);
  try {
    const { result } = await calls.call('hello', { protocol: protocolVersion, pid: process.pid });
    return storeOver(calls, parsed(resultSchemas.hello, result));
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(impatience);
  }
}

/** No socket, a dead one, or one whose owner is just leaving. */
const nobodyThere: readonly unknown[] = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAGAIN'];

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const failed = (error: NodeJS.ErrnoException): void => {
      if (nobodyThere.includes(error.code)) resolve(undefined);
      else reject(logError('LS_LOG_OWNER_UNREACHABLE', `Connecting to ${path} failed: ${error.message}.`, { path }, { cause: error }));
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function storeOver({ call, leaving, ended, close }: Calls, owner: ResultOf<'hello'>): SocketLogStore {
  return {
    owner: { pid: owner.pid, keeps: owner.keeps },
    leaving,
    ended,
    createTopic: async (topic, partitionCount) => parsed(resultSchemas.createTopic, (await call('createTopic', { topic, partitionCount })).result),
    replaceTopic: (topic) => Promise.reject(logError('LS_LOG_OWNED', `Process ${owner.pid} owns the log directory: it alone can make the topic ${topic} anew.`, { pid: owner.pid })),
    topics: async () => parsed(resultSchemas.topics, (await call('topics', {})).result),
    commit: async ({ records, checkpoints, expected }) => {
      const body: Buffer[] = [];
      const condition = expected === undefined ? {} : { expected: wireExpected(expected) };
      await call('commit', { records: packAppends(records, body), checkpoints: checkpoints.map(wireCheckpoint), ...condition }, body);
    },
    read: async ({ topic, partition }, fromSequence, budget) => {
      const { result, body } = await call('read', {
        topic,
        partition,
        from: wireSequence(fromSequence),
        records: Math.min(budget.records, readLimits.records),
        bytes: Math.min(budget.bytes, readLimits.bytes),
      });
      return unpackStored(parsed(resultSchemas.read, result), body);
    },
    bounds: async ({ topic, partition }) => parsed(resultSchemas.bounds, (await call('bounds', { topic, partition })).result),
    checkpoint: async (group, { topic, partition }) =>
      parsed(resultSchemas.checkpoint, (await call('checkpoint', { group, topic, partition })).result) ?? undefined,
    waitForRecords: async ({ topic, partition }, endSequence, signal) => {
      if (signal.aborted) return;
      // The owner is told of an abort, but nobody has to wait until it has heard.
      await unlessAborted(call('wait', { topic, partition, end: wireSequence(endSequence) }, [], signal), signal);
    },
    requestYield: async () => {
      await call('yield', {});
    },
    close,
  };
}
