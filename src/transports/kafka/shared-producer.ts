/**
 * The plain producer of a subscription, shared by its partitions and opened when it is first needed. After a send that failed nothing is known of
 * what it still holds: the next send opens another, and the old one is closed when the other sends on it are over. `close` waits for no send: they
 * end with their producers, and no other is opened.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { OutputRecord } from '../../core/records.ts';
import type { PlainProducer, Producers } from './producers/producer-port.ts';

export type SharedProducer = {
  /** Rejects with LS_TRANSPORT_CLOSED once closed. */
  readonly send: (records: readonly OutputRecord[]) => Promise<void>;
  readonly close: () => Promise<void>;
};

type Opened = { readonly producer: Promise<PlainProducer>; sends: number; retired: boolean };

export function shareProducer(producers: Pick<Producers, 'open'>): SharedProducer {
  let current: Opened | undefined;
  /** Those that are not closed. */
  const all = new Set<Opened>();
  let closed: Promise<unknown> | undefined;

  const end = async (opened: Opened): Promise<void> => {
    // One that was never opened, or does not close, has nothing more to say.
    await opened.producer.then((producer) => producer.close()).catch(() => undefined);
    all.delete(opened);
  };
  const open = (): Opened => {
    const opened = { producer: producers.open(), sends: 0, retired: false };
    all.add(opened);
    return opened;
  };
  const retire = (opened: Opened): void => {
    if (current === opened) current = undefined;
    opened.retired = true;
  };
  return {
    send: async (records) => {
      if (closed !== undefined) throw pipelineError('LS_TRANSPORT_CLOSED', 'Nothing can be sent any more: the producer is closed.');
      const opened = (current ??= open());
      opened.sends += 1;
      try {
        const producer = await opened.producer;
        await producer.send(records);
      } catch (error) {
        retire(opened);
        throw error;
      } finally {
        opened.sends -= 1;
        if (opened.retired && opened.sends === 0) void end(opened);
      }
    },
    close: async () => {
      await (closed ??= Promise.all(Array.from(all, end)));
    },
  };
}
