/**
 * A claim on a topic of the embedded log: its number stands where the positions of consumer groups stand, durable like them, so that it outlives
 * owners of the directory. Each claim raises it by one, and commits under a claim expect it to be theirs still.
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import type { OutputRecord } from '../../core/records.ts';
import type { TopicClaim } from '../../pipeline/transport.ts';
import type { PartitionLocation } from './log-reader.ts';
import type { ExpectedPosition, LogStore } from './log-store.ts';

/** No consumer group has this name: theirs end in the stage. */
const claimGroup = 'claim';

/** @param location of the topic's first partition. */
export async function claimTopic(
  store: LogStore,
  { topic, partition }: PartitionLocation,
  checkRecords: (records: readonly OutputRecord[]) => Promise<void>,
): Promise<TopicClaim> {
  const place = { group: claimGroup, topic, partition };
  const own = { ...place, nextSequence: await nextClaim(store, place) };
  return {
    append: async (records) => {
      await checkRecords(records);
      await store.commit({ records, checkpoints: [], expected: own });
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Among several at once each gets a number of its own; the last of them keeps the topic. Where the refusal says the topic stands may not be durable
 * yet, so that asking for the checkpoint would give the same answer until it is.
 */
async function nextClaim(store: LogStore, place: Omit<ExpectedPosition, 'nextSequence'>): Promise<bigint> {
  let before = (await store.checkpoint(place.group, place))?.nextSequence ?? 0n;
  for (;;) {
    const expected = { ...place, nextSequence: before };
    try {
      await store.commit({ records: [], checkpoints: [{ ...place, nextSequence: before + 1n, metadata: '' }], expected });
      return before + 1n;
    } catch (error) {
      if (!(error instanceof LabelstreamError) || error.code !== 'LS_TRANSPORT_FENCED') throw error;
      const { nextSequence } = error.details;
      if (typeof nextSequence !== 'bigint') throw error;
      before = nextSequence;
    }
  }
}
