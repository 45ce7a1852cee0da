/**
 * The plain producer of a subscription, shared by its partitions and opened when it is first needed. After a send that failed nothing is known of
 * what it still holds: the next send opens another, and the old one is closed when the other sends on it are over.
 */
import type { OutputRecord } from '../../core/records.ts';
import type { PlainProducer, Producers } from './producers/producer-port.ts';

export type SharedProducer = {
  readonly send: (records: readonly OutputRecord[]) => Promise<void>;
  readonly close: () => Promise<void>;
};

type Opened = { readonly producer: Promise<PlainProducer>; sends: number; retired: boolean };

export function shareProducer(producers: Pick<Producers, 'open'>): SharedProducer {
  let current: Opened | undefined;
  const closing = new Set<Promise<void>>();

  const closeIfIdle = (opened: Opened): void => {
    if (!opened.retired || opened.sends > 0) return;
    // One that was never opened, or does not close, has nothing more to say.
    const closed = opened.producer.then((producer) => producer.close()).catch(() => undefined);
    closing.add(closed);
    void closed.then(() => closing.delete(closed));
  };
  const retire = (opened: Opened): void => {
    if (current === opened) current = undefined;
    opened.retired = true;
  };
  return {
    send: async (records) => {
      const opened = (current ??= { producer: producers.open(), sends: 0, retired: false });
      opened.sends += 1;
      try {
        const producer = await opened.producer;
        await producer.send(records);
      } catch (error) {
        retire(opened);
        throw error;
      } finally {
        opened.sends -= 1;
        closeIfIdle(opened);
      }
    },
    close: async () => {
      if (current !== undefined) {
        const last = current;
        retire(last);
        closeIfIdle(last);
      }
      await Promise.all(closing);
    },
  };
}
