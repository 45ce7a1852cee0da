/** Finding a place in a partition of the log by sequence or by append time. */
import type { Bound, Landmark } from '../../pipeline/transport.ts';
import type { PartitionLocation } from './log-reader.ts';
import type { LogStore, StoredRecord } from './log-store.ts';
import { positionOf } from './positions.ts';

const one = { records: 1, bytes: 1 };

/** The first record at or after the landmark; the end where there is none. */
export async function findBound(store: LogStore, location: PartitionLocation, landmark: Landmark): Promise<Bound> {
  const { startSequence, endSequence } = await store.bounds(location);
  if ('sequence' in landmark) {
    if (landmark.sequence >= endSequence) return boundOf(endSequence);
    const [record] = await store.read(location, landmark.sequence < startSequence ? startSequence : landmark.sequence, one);
    return boundOf(record?.sequence ?? endSequence);
  }
  // Append times never fall (partition-writer.ts). Every record below `low` is before the landmark; none between `high` and `found` is there.
  let [low, high, found] = [startSequence, endSequence, endSequence];
  while (low < high) {
    const middle = (low + high) / 2n;
    const [record]: readonly StoredRecord[] = await store.read(location, middle, one);
    if (record === undefined) high = middle;
    else if (record.appendTimeMs < landmark.appendTimeMs) low = record.sequence + 1n;
    else [high, found] = [middle, record.sequence];
  }
  return boundOf(found);
}

function boundOf(sequence: bigint): Bound {
  return { position: positionOf(sequence), sequence };
}
