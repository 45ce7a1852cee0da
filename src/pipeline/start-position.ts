/**
 * Where reading begins (SEMANTICS.md, rule 23). No driver is left to choose: where a group never stood, the position is resolved here and
 * committed before the first record is read, so that a restart before the first delivery begins at the same place.
 */
import { deliverUntilSettled, patiently, type DeliveryContext } from './delivery.ts';
import type { AssignedPartition, Checkpoint, Transport } from './transport.ts';

export type StartAt = 'earliest' | 'latest';

export type StartOptions = {
  readonly transport: Pick<Transport, 'committed' | 'describeTopic'>;
  readonly group: string;
  readonly startAt: (partition: AssignedPartition) => StartAt;
  readonly contextOf: (partition: AssignedPartition) => DeliveryContext;
  /** Aborted when the partition is given up meanwhile. */
  readonly signalOf: (partition: AssignedPartition) => AbortSignal;
};

/** Element i is where partition i begins, committed; undefined where its signal aborted first. */
export async function resolveStarts(
  partitions: readonly AssignedPartition[],
  options: StartOptions,
): Promise<readonly (Checkpoint | undefined)[]> {
  // All are read before any is written: a group is new to a topic if it stands nowhere in it.
  const standing = await Promise.all(partitions.map((partition) => readCommitted(partition, options)));
  const isNew = await Promise.all(
    partitions.map(async (partition, index) => {
      if (standing[index] !== 'nowhere' || options.startAt(partition) === 'earliest') return false;
      return patiently(options.contextOf(partition), options.signalOf(partition), () => isNewToTopic(partition, options));
    }),
  );
  return Promise.all(
    partitions.map(async (partition, index) => {
      const checkpoint = standing[index];
      if (checkpoint !== 'nowhere') return checkpoint;
      // A partition that was added later begins at its beginning: the group was promised everything since its first start.
      return commitStart(partition, isNew[index] === true ? 'end' : 'start', options);
    }),
  );
}

async function readCommitted(partition: AssignedPartition, options: StartOptions): Promise<Checkpoint | 'nowhere' | undefined> {
  return patiently(options.contextOf(partition), options.signalOf(partition), async () => (await partition.committed()) ?? 'nowhere');
}

async function isNewToTopic({ topic }: AssignedPartition, { transport, group }: StartOptions): Promise<boolean> {
  const { partitionCount } = await transport.describeTopic(topic);
  for (let partition = 0; partition < partitionCount; partition += 1) {
    if ((await transport.committed(group, { topic, partition })) !== undefined) return false;
  }
  return true;
}

async function commitStart(partition: AssignedPartition, side: 'start' | 'end', options: StartOptions): Promise<Checkpoint | undefined> {
  const context = options.contextOf(partition);
  const signal = options.signalOf(partition);
  const bounds = await patiently(context, signal, () => partition.bounds());
  if (bounds === undefined) return undefined;
  const { position, sequence } = bounds[side];
  const checkpoint: Checkpoint = { position, sequence: sequence - 1n, outputsSent: 0 };
  const settled = await deliverUntilSettled(context, { outputs: [], checkpoint, previous: undefined }, signal);
  return settled ? checkpoint : undefined;
}
