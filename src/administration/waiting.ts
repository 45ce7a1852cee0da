/** What to wait for after an append: until what was said has been read. */
import type { TopicPartition } from '../core/records.ts';
import type { Transport } from '../pipeline/transport.ts';

/** Who reads the partition has come there once it has handled the sequence. */
export type WaitFor = TopicPartition & { readonly sequence: bigint };

/** At or above the sequences of the records that were appended there before the call. */
export function waitForAll(transport: Pick<Transport, 'decided' | 'bounds'>, places: readonly TopicPartition[]): Promise<readonly WaitFor[]> {
  return Promise.all(
    places.map(async ({ topic, partition }) => {
      // On Kafka the end stands before a transaction that somebody has open, and so perhaps before the record.
      await transport.decided({ topic, partition });
      const { end } = await transport.bounds({ topic, partition });
      return { topic, partition, sequence: end.sequence - 1n };
    }),
  );
}
