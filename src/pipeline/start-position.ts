/**
 * Where reading begins (SEMANTICS.md, rule 23). No driver is left to choose: where a group never stood, the position is resolved here and
 * committed before the first record is read, so that a restart before the first delivery begins at the same place.
 *
 * With `startAt: latest` a partition without a position is either one of the group's first start, which begins at its end, or was added later
 * and begins at its beginning: the group was promised everything since its first start. Which of the two is told by the topic's partition count
 * at the first start. It goes out with that start's first commit and with every later one, so that members which start at once, and one that
 * comes after a start which was cut short, answer alike. A topic that was made anew is no first start where the marks say that the group has started in
 * the former one: what is in it was published since.
 */
import { unlessAborted } from './abort.ts';
import { deliverUntilSettled, patiently, type DeliveryContext } from './delivery.ts';
import { hasStartedBefore, markStarted, requireNeverStarted, type StartMarkers } from './start-marker.ts';
import type { AssignedPartition, Checkpoint, Transport } from './transport.ts';

export type StartAt = 'earliest' | 'latest';

export type StartOptions = {
  readonly transport: Pick<Transport, 'committed' | 'describeTopic'>;
  readonly group: string;
  readonly startAt: (partition: AssignedPartition) => StartAt;
  readonly contextOf: (partition: AssignedPartition) => DeliveryContext;
  /** Aborted when the partition is given up meanwhile. */
  readonly signalOf: (partition: AssignedPartition) => AbortSignal;
  /** Where positions may expire. */
  readonly markers?: StartMarkers | undefined;
};

type Standing = Checkpoint | 'nowhere' | undefined;
/** How many partitions the topic had when the group first started there; undefined where its positions do not say. */
type FirstStart = { readonly partitionCount: number | undefined };

/** Element i is where partition i begins, committed; undefined where its signal aborted first. Rejects with LS_TRANSPORT_POSITION_LOST. */
export async function resolveStarts(
  partitions: readonly AssignedPartition[],
  options: StartOptions,
): Promise<readonly (Checkpoint | undefined)[]> {
  // All are read before any is written: a group is new to a topic if it stands nowhere in it.
  const standing = await Promise.all(partitions.map((partition) => readCommitted(partition, options)));
  const { markers, signalOf } = options;
  if (markers !== undefined) {
    const missing = partitions.filter((_, index) => standing[index] === 'nowhere');
    await requireNeverStarted(missing, markers, signalOf);
  }
  const firstStartOf = firstStarts(partitions, standing, options);
  return Promise.all(
    partitions.map(async (partition, index) => {
      const checkpoint = standing[index];
      if (checkpoint !== 'nowhere') {
        // It was marked at its first start, unless that was cut short: nothing waits for it.
        if (markers !== undefined && checkpoint !== undefined) void markStarted(partition, checkpoint, markers);
        return checkpoint;
      }
      if (options.startAt(partition) === 'earliest') return commitStart(partition, 'start', undefined, options);
      const first = await patiently(options.contextOf(partition), options.signalOf(partition), () => firstStartOf(partition.topic));
      if (first === undefined) return undefined;
      const isOfFirstStart = first.partitionCount !== undefined && partition.partition < first.partitionCount;
      return commitStart(partition, isOfFirstStart ? 'end' : 'start', first.partitionCount, options);
    }),
  );
}

/** The carried count stays with a partition's position: whoever comes later may find no other. */
export function carryingFirstStart(partition: AssignedPartition, { firstStartPartitions }: Checkpoint): AssignedPartition {
  if (firstStartPartitions === undefined) return partition;
  return { ...partition, deliver: (outputs, checkpoint) => partition.deliver(outputs, { ...checkpoint, firstStartPartitions }) };
}

async function readCommitted(partition: AssignedPartition, options: StartOptions): Promise<Standing> {
  return patiently(options.contextOf(partition), options.signalOf(partition), async () => (await partition.committed()) ?? 'nowhere');
}

/** Asks once per topic, whichever of its partitions wait for the answer; after a failure once more. */
function firstStarts(partitions: readonly AssignedPartition[], standing: readonly Standing[], options: StartOptions): (topic: string) => Promise<FirstStart> {
  const asked = new Map<string, Promise<FirstStart>>();
  return (topic) => {
    const known = asked.get(topic);
    if (known !== undefined) return known;
    const own = new Map(partitions.flatMap((each, index) => (each.topic === topic ? [[each.partition, standing[index]] as const] : [])));
    const asking = firstStart(topic, own, options);
    asked.set(topic, asking);
    asking.catch(() => asked.delete(topic));
    return asking;
  };
}

async function firstStart(topic: string, own: ReadonlyMap<number, Standing>, { transport, group, markers }: StartOptions): Promise<FirstStart> {
  const { partitionCount, incarnation } = await transport.describeTopic(topic);
  if (markers !== undefined && (await hasStartedBefore(topic, incarnation, markers))) return { partitionCount: undefined };
  let isNew = true;
  const numbers = Array.from({ length: partitionCount }, (_, partition) => partition);
  // Those that are known cost no request.
  for (const partition of numbers.sort((left, right) => Number(own.has(right)) - Number(own.has(left)))) {
    const known = own.get(partition);
    const checkpoint = known === 'nowhere' ? undefined : (known ?? (await transport.committed(group, { topic, partition })));
    if (checkpoint?.firstStartPartitions !== undefined) return { partitionCount: checkpoint.firstStartPartitions };
    if (checkpoint !== undefined) isNew = false;
  }
  return { partitionCount: isNew ? partitionCount : undefined };
}

async function commitStart(
  partition: AssignedPartition,
  side: 'start' | 'end',
  firstStartPartitions: number | undefined,
  options: StartOptions,
): Promise<Checkpoint | undefined> {
  const context = options.contextOf(partition);
  const signal = options.signalOf(partition);
  const bounds = await patiently(context, signal, () => partition.bounds());
  if (bounds === undefined) return undefined;
  const { position, sequence } = bounds[side];
  const carried = firstStartPartitions === undefined ? {} : { firstStartPartitions };
  const checkpoint: Checkpoint = { position, sequence: sequence - 1n, outputsSent: 0, ...carried };
  const settled = await deliverUntilSettled(context, { outputs: [], checkpoint, previous: undefined }, signal);
  if (!settled) return undefined;
  if (options.markers !== undefined) await unlessAborted(markStarted(partition, checkpoint, options.markers), signal);
  return checkpoint;
}
