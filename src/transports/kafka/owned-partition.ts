/**
 * A partition while a member of a consumer group owns it. Outputs and checkpoint go out in one of two ways:
 *
 * - at-least-once: the outputs, and when they are durable the offset, committed for the generation of this assignment and no other;
 * - exactly-once: both in one transaction of a producer that this partition has for itself, with a transactional id made of its name. Opening it
 *   fences a former owner and settles its last transaction; only then is the committed offset read. After whatever `deliver` rejected with, that
 *   is done again before anything else is sent (SEMANTICS.md, rule 24).
 *
 * Whether the member is still one is asked before every step: a process that was stopped past its session must not go on where it stood. It may
 * still fence the new owner, by opening its producer; that one is told by a heartbeat that it is the owner all the same, and opens its own again.
 *
 * An offset that is committed is moved on over what nobody sees (markers, aborted records): else other tools would show that as lag, and a group
 * would have lost its position once retention took nothing but that. Where it comes later than the last delivery, a loop follows it, in the way
 * that deliveries go: a commit that was not answered may still arrive, when others were made since. In a transaction it is fenced then; outside
 * it sets the group back, which at-least-once may do, and which this member mends where it sees it.
 */
import type { Clock } from '../../core/clock.ts';
import { kafkaError } from '../../core/errors/kafka.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { OutputRecord, TopicPartition } from '../../core/records.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import { codeOf } from '../../pipeline/retry.ts';
import type { AssignedPartition, Checkpoint, Delivery, PartitionBounds } from '../../pipeline/transport.ts';
import type { Fetcher, PartitionReader } from './partition-reader.ts';
import { checkpointMetadata, isBefore, isSame, offsetAt, positionOf } from './positions.ts';
import type { Producers, TransactionalProducer } from './producers/producer-port.ts';

export type PartitionLocation = TopicPartition & { readonly incarnation: string };

/** What a partition asks of the membership that it belongs to. */
export type PartitionOwner = {
  readonly group: string;
  /** Whether a heartbeat was answered within the session time-out. Once false it stays so. */
  readonly isAlive: () => boolean;
  /** Asks the coordinator by a heartbeat; rejects with LS_TRANSPORT_REVOKED where this is no member of the current generation. */
  readonly confirm: () => Promise<void>;
  /** Commits for the generation of this assignment; rejects with LS_TRANSPORT_REVOKED when there is another one. */
  readonly commit: (location: TopicPartition, offset: bigint, metadata: string) => Promise<void>;
};

export type OwnedPartitionOptions = {
  readonly location: PartitionLocation;
  readonly delivery: Delivery;
  readonly owner: PartitionOwner;
  readonly fetcher: Pick<Fetcher, 'open'>;
  readonly producers: Pick<Producers, 'openTransactional'>;
  /** Shared by the partitions of a subscription. */
  readonly send: (records: readonly OutputRecord[]) => Promise<void>;
  readonly bounds: (location: PartitionLocation) => Promise<PartitionBounds>;
  readonly readCommitted: (group: string, location: TopicPartition) => Promise<Checkpoint | undefined>;
  readonly checkRecords: (records: readonly OutputRecord[]) => Promise<void>;
  readonly clock: Pick<Clock, 'sleep'>;
};

/** How soon a committed offset follows what nobody sees. */
const followMs = 1_000;
/** For a call in flight when the partition is let go: an answer that is on its way comes within it. */
const patienceMs = 1_000;

export type OwnedPartition = {
  readonly assigned: AssignedPartition;
  /** From here on every call rejects with LS_TRANSPORT_REVOKED, a poll in flight too. */
  readonly revoke: () => void;
  /**
   * After `revoke`: resolves soon. Exactly once the delivery that had started is over then, by its end or by that of its producer. At least once its
   * records may still be on their way where the broker hangs, and its offset is not committed any more.
   */
  readonly settled: () => Promise<void>;
};

export function ownPartition(options: OwnedPartitionOptions): OwnedPartition {
  const { location, owner } = options;
  let delivering: Promise<void> | undefined;
  const over = new AbortController();

  const requireOwned = (): void => {
    if (!over.signal.aborted && owner.isAlive()) return;
    throw revocation(location, owner.group);
  };
  /** Whatever became of the call: to a former owner it says only that it is one. */
  const owned = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    requireOwned();
    return await call().finally(requireOwned);
  };
  const sender = options.delivery === 'exactly-once' ? createTransactor(options, requireOwned) : createSender(options, requireOwned);
  const committed = async (): Promise<Checkpoint | undefined> => {
    // The outcome of a call in flight is its caller's; here only its end matters.
    await delivering?.catch(() => undefined);
    requireOwned();
    return standing.settle();
  };
  const reader = createReader(options, committed);
  const standing = createStanding({ ...options, sender, requireOwned, pastHidden: reader.pastHidden });
  void standing.follow(over.signal);

  const assigned: AssignedPartition = {
    ...location,
    committed: () => owned(committed),
    bounds: () => owned(() => options.bounds(location)),
    seek: (position) => {
      requireOwned();
      reader.seek(offsetAt(position));
    },
    poll: (budget, signal) => owned(() => reader.poll(budget, signal)),
    deliver: async (outputs, checkpoint) => {
      requireOwned();
      if (delivering !== undefined) throw overlap('deliver', location);
      delivering = deliver(options, standing, requireOwned, outputs, checkpoint);
      try {
        await delivering;
      } catch (error) {
        requireOwned();
        throw error;
      } finally {
        delivering = undefined;
      }
    },
  };
  return {
    assigned,
    revoke: () => {
      if (over.signal.aborted) return;
      over.abort();
      reader.close(revocation(location, owner.group));
    },
    settled: async () => {
      await withPatience(options.clock, delivering);
      // What is in flight still ends with its producer; at least once that is shared, and what comes of it is refused by `requireOwned`.
      await sender.close();
      await withPatience(options.clock, Promise.allSettled([delivering, standing.following()]));
    },
  };
}

function revocation({ topic, partition }: TopicPartition, group: string): Error {
  return pipelineError('LS_TRANSPORT_REVOKED', `Partition ${String(partition)} of ${topic} no longer belongs to this member of group ${group}.`, {
    topic,
    partition,
    group,
  });
}

function overlap(call: string, { topic, partition }: TopicPartition): Error {
  const text = `${call} was called while another was in flight for partition ${String(partition)} of ${topic}.`;
  return pipelineError('LS_TRANSPORT_CALL_OVERLAP', text, { topic, partition });
}

type Sender = {
  readonly committed: () => Promise<Checkpoint | undefined>;
  readonly deliver: (outputs: readonly OutputRecord[], checkpoint: Checkpoint) => Promise<void>;
  /** Commits the checkpoint that stands at a position further on. Beside no delivery. */
  readonly move: (checkpoint: Checkpoint) => Promise<void>;
  readonly close: () => Promise<void>;
};

async function deliver(
  { checkRecords }: OwnedPartitionOptions,
  standing: Standing,
  requireOwned: () => void,
  outputs: readonly OutputRecord[],
  checkpoint: Checkpoint,
): Promise<void> {
  // Before anything is sent.
  offsetAt(checkpoint.position);
  await checkRecords(outputs);
  requireOwned();
  await standing.deliver(outputs, checkpoint);
}

/** Where the group is known to stand: known since it was read or something was delivered, and no longer once a delivery failed. */
type Standing = {
  readonly settle: () => Promise<Checkpoint | undefined>;
  readonly deliver: Sender['deliver'];
  /** Until the signal aborts. Never rejects. */
  readonly follow: (signal: AbortSignal) => Promise<void>;
  /** Resolves when no commit of `follow` is in flight. */
  readonly following: () => Promise<void>;
};

type StandingOptions = Pick<OwnedPartitionOptions, 'owner' | 'clock'> & Pick<PartitionReader, 'pastHidden'> & {
  readonly sender: Sender;
  readonly requireOwned: () => void;
};

function createStanding({ owner, clock, sender, requireOwned, pastHidden }: StandingOptions): Standing {
  let stands: Checkpoint | undefined;
  let following = Promise.resolve();
  let delivering = false;

  const furthest = (checkpoint: Checkpoint): Checkpoint => ({ ...checkpoint, position: positionOf(pastHidden(offsetAt(checkpoint.position))) });
  /** Beside no delivery: that commits its own. Whether it succeeds matters to nobody: it is tried again. */
  const followOnce = async (from: Checkpoint): Promise<void> => {
    const to = furthest(from);
    if (to.position === from.position) return;
    await sender.move(to);
    stands = to;
  };
  return {
    settle: async () => {
      await following;
      stands = await sender.committed();
      return stands;
    },
    deliver: async (outputs, checkpoint) => {
      delivering = true;
      try {
        await following;
        // What stood, or was committed by that, is about to be history.
        stands = undefined;
        requireOwned();
        const to = furthest(checkpoint);
        await sender.deliver(outputs, to);
        stands = to;
      } finally {
        delivering = false;
      }
    },
    follow: async (signal) => {
      for (;;) {
        await clock.sleep(followMs, signal);
        if (signal.aborted) return;
        if (stands === undefined || delivering || !owner.isAlive()) continue;
        following = followOnce(stands).catch(() => undefined);
        await following;
      }
    },
    following: () => following,
  };
}

function createSender({ location, owner, send, readCommitted }: OwnedPartitionOptions, requireOwned: () => void): Sender {
  /** The furthest that the broker is known to have had for this member, which alone commits for the group here. */
  let known: Checkpoint | undefined;

  const commit = async (checkpoint: Checkpoint): Promise<void> => {
    requireOwned();
    await owner.commit(location, offsetAt(checkpoint.position), checkpointMetadata(checkpoint));
    known = checkpoint;
  };
  return {
    committed: async () => {
      const read = await readCommitted(owner.group, location);
      // Set back by a commit that was given up and arrived after later ones.
      if (read !== undefined && known !== undefined && isBefore(read, known)) await commit(known);
      else known = read;
      return known;
    },
    deliver: async (outputs, checkpoint) => {
      if (outputs.length > 0) await send(outputs);
      await commit(checkpoint);
    },
    move: commit,
    close: () => Promise.resolve(),
  };
}

/** `stands`: the committed checkpoint, known since the producer was opened or a transaction of it was committed. */
type Settled = { readonly producer: TransactionalProducer; stands: { readonly checkpoint: Checkpoint | undefined } };

function createTransactor({ location, owner, producers, readCommitted, clock }: OwnedPartitionOptions, requireOwned: () => void): Sender {
  const { group } = owner;
  const { topic, partition } = location;
  const transactionalId = `${group}-${topic}-${String(partition)}`;
  let settled: Settled | undefined;
  let settling: Promise<Settled> | undefined;
  let closed = false;

  const settle = async (): Promise<Settled> => {
    const producer = await producers.openTransactional(transactionalId, () => confirmOwned(owner, requireOwned));
    try {
      requireOwned();
      const checkpoint = await readCommitted(group, location);
      requireOwned();
      settled = { producer, stands: { checkpoint } };
      return settled;
    } catch (error) {
      await closeQuietly(producer);
      throw error;
    }
  };
  const settledOnce = async (): Promise<Settled> => {
    if (settled !== undefined) return settled;
    settling ??= settle()
      .catch((error: unknown) => explainFencing(error))
      .finally(() => (settling = undefined));
    return settling;
  };
  /** A fenced producer is either a former owner's, or this one's, after a transaction that took too long or a zombie that woke. */
  const explainFencing = async (error: unknown): Promise<never> => {
    if (codeOf(error) !== 'LS_TRANSPORT_FENCED') throw error;
    await owner.confirm();
    throw kafkaError(
      'LS_KAFKA_REQUEST',
      `The producer of partition ${String(partition)} of ${topic} was fenced although group ${group} gives it to this member.`,
      { topic, partition, group, transactionalId },
      { cause: error },
    );
  };

  const transact = async (current: Settled, outputs: readonly OutputRecord[], checkpoint: Checkpoint): Promise<void> => {
    requireOwned();
    const offset = { group, topic, partition, offset: offsetAt(checkpoint.position), metadata: checkpointMetadata(checkpoint) };
    try {
      await current.producer.transact(outputs, offset);
    } catch (error) {
      // The next one fences what of this may still arrive.
      settled = undefined;
      await closeQuietly(current.producer);
      return explainFencing(error);
    }
    current.stands = { checkpoint };
  };

  return {
    committed: async () => (await settledOnce()).stands.checkpoint,
    deliver: async (outputs, checkpoint) => {
      const wasSettled = settled !== undefined;
      const current = await settledOnce();
      // What was in doubt has happened: to send it again would double it.
      if (!wasSettled && isSame(current.stands.checkpoint, checkpoint)) return;
      await transact(current, outputs, checkpoint);
    },
    move: async (checkpoint) => transact(await settledOnce(), [], checkpoint),
    close: async () => {
      if (closed) return;
      closed = true;
      // What is opened later is closed where that ends.
      await withPatience(clock, settling);
      if (settled !== undefined) await closeQuietly(settled.producer);
      settled = undefined;
    },
  };
}

/** Who is no member any more must not fence the one that is. */
async function confirmOwned(owner: PartitionOwner, requireOwned: () => void): Promise<void> {
  requireOwned();
  await owner.confirm();
  requireOwned();
}

/** Never rejects. A broker that hangs is not waited for when the partition is not this member's any more. */
async function withPatience({ sleep }: Pick<Clock, 'sleep'>, call: Promise<unknown> | undefined): Promise<void> {
  if (call === undefined) return;
  const over = new AbortController();
  await Promise.race([call.catch(() => undefined), sleep(patienceMs, over.signal)]);
  over.abort();
}

/** What it held is settled by whoever opens the next one. */
async function closeQuietly(producer: TransactionalProducer): Promise<void> {
  await producer.close().catch(() => undefined);
}

type Reader = Pick<PartitionReader, 'poll' | 'seek' | 'pastHidden' | 'close'>;

/** Opened where it is first sought or, without that, where the group stands: never anywhere that a driver chooses. */
function createReader({ location, fetcher, bounds }: OwnedPartitionOptions, committed: () => Promise<Checkpoint | undefined>): Reader {
  let reader: PartitionReader | undefined;
  let polling = false;
  let ended: Error | undefined;
  const over = new AbortController();

  const startingOffset = async (): Promise<bigint> => {
    const position = (await committed())?.position ?? (await bounds(location)).start.position;
    return offsetAt(position);
  };
  return {
    seek: (offset) => {
      if (reader === undefined) reader = fetcher.open(location, offset);
      else reader.seek(offset);
    },
    poll: async (budget, signal) => {
      if (polling) throw overlap('poll', location);
      polling = true;
      try {
        if (reader === undefined) {
          const offset = await unlessAborted(startingOffset(), AbortSignal.any([signal, over.signal]));
          if (ended !== undefined) throw ended;
          if (offset === undefined) return [];
          // Whoever sought meanwhile knows better.
          reader ??= fetcher.open(location, offset);
        }
        return await reader.poll(budget, signal);
      } finally {
        polling = false;
      }
    },
    pastHidden: (offset) => reader?.pastHidden(offset) ?? offset,
    close: (reason) => {
      ended = reason;
      over.abort();
      reader?.close(reason);
    },
  };
}
