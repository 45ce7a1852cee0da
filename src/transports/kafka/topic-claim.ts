/**
 * A claim on a topic is a transactional id made of its name: initialising it fences whoever had it, and settles what that one had begun. Each append
 * is a transaction, so all of it or nothing is there.
 */
import type { OutputRecord } from '../../core/records.ts';
import type { TopicClaim } from '../../pipeline/transport.ts';
import { withoutPrefix } from './name-prefix.ts';
import type { Producers } from './producers/producer-port.ts';

export async function claimTopic(
  producers: Pick<Producers, 'openTransactional'>,
  { topic, namePrefix = '' }: { readonly topic: string; readonly namePrefix?: string | undefined },
  checkRecords: (records: readonly OutputRecord[]) => Promise<void>,
): Promise<TopicClaim> {
  const producer = await producers.openTransactional(`${namePrefix}labelstream-claim-${withoutPrefix(topic, namePrefix)}`);
  return {
    append: async (records) => {
      await checkRecords(records);
      await producer.transact(records, undefined);
    },
    close: producer.close,
  };
}
