/** A log store whose process ends abruptly at a chosen commit: from there on every call rejects and nothing takes effect. */
import type { LogStore } from '../../../src/transports/log/log-store.ts';

export type CrashingLogStore = { readonly store: LogStore; readonly crash: (step: number, when: 'before' | 'after') => void };

export function crashingLogStore(inner: LogStore): CrashingLogStore {
  let dead = false;
  let armed: { remaining: number; readonly when: 'before' | 'after' } | undefined;
  const alive = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    if (dead) throw new Error('The process is gone.');
    return call();
  };
  return {
    crash: (step, when) => {
      armed = { remaining: step, when };
    },
    store: {
      createTopic: (topic, partitionCount) => alive(() => inner.createTopic(topic, partitionCount)),
      replaceTopic: (...replacement) => alive(() => inner.replaceTopic(...replacement)),
      topics: () => alive(inner.topics),
      commit: (transaction) =>
        alive(async () => {
          if (armed !== undefined) armed.remaining -= 1;
          const last = armed?.remaining === 0;
          if (last) dead = true;
          if (!last || armed?.when === 'after') await inner.commit(transaction);
          if (last) throw new Error('The process ended here.');
        }),
      read: (topicPartition, fromSequence, budget) => alive(() => inner.read(topicPartition, fromSequence, budget)),
      bounds: (topicPartition) => alive(() => inner.bounds(topicPartition)),
      checkpoint: (group, topicPartition) => alive(() => inner.checkpoint(group, topicPartition)),
      waitForRecords: (topicPartition, endSequence, signal) => alive(() => inner.waitForRecords(topicPartition, endSequence, signal)),
      close: () => Promise.resolve(),
    },
  };
}
