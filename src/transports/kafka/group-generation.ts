/**
 * One generation of a consumer group as one member lives it: heartbeats from the join until the next one, and what its partitions ask of it.
 *
 * A member counts as alive while no more than the session time-out has passed since it sent a heartbeat that was answered. That is judged whenever
 * something is about to happen, not by timers alone: a process that was stopped finds its timers late, but the monotonic clock went on.
 */
import type { Cluster } from 'kafkajs';
import type ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import type { GroupCoordinator } from 'kafkajs/src/consumer/consumerGroup.js';
import { kafkaError } from '../../core/errors/kafka.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import { codeOf, isRetryable } from '../../pipeline/retry.ts';
import { asKafkaError, isWithoutAnswer, protocolCodeOf } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { PartitionOwner } from './owned-partition.ts';

export type GenerationEnd =
  | { readonly kind: 'rebalance' | 'lost' | 'closed' }
  /** The coordinator will not serve this member again: an authorisation that was taken away. */
  | { readonly kind: 'refused'; readonly error: Error };

export type Generation = {
  readonly id: number;
  readonly owner: PartitionOwner;
  /** The first reason to let go. Heartbeats go on until `close`, except where they have become pointless. */
  readonly ended: Promise<GenerationEnd>;
  /** Resolves, if it ever does, when another member may have the partitions. */
  readonly lost: Promise<void>;
  /** Lets go because of something seen elsewhere. */
  readonly end: (end: GenerationEnd) => void;
  readonly close: () => void;
  /** Aborts with `close`. */
  readonly closed: AbortSignal;
};

export type GenerationOptions = {
  readonly group: ConsumerGroup;
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly options: Pick<KafkaOptions, 'clock' | 'observer' | 'sessionTimeoutMs' | 'heartbeatIntervalMs'>;
  readonly closing: AbortSignal;
};

const rebalanceInProgress = 27;
/** Between heartbeats that fail. */
const retryMs = 100;

/** Rejects where the member is no part of the generation any more: a join that was answered while the process was stopped is worth nothing. */
export async function createGeneration(given: GenerationOptions): Promise<Generation> {
  const { groupId, options, closing } = given;
  const member = memberOf(given);
  const ended = Promise.withResolvers<GenerationEnd>();
  const over = new AbortController();
  const session = createSession(options);
  void session.lost.then(() => {
    options.observer.message('warn', `This member of group ${groupId} may be taken for gone: its partitions are given up.`, { generation: member.generationId });
    ended.resolve({ kind: 'lost' });
  });
  /** A refusal that is told as a loss of ownership ends it wherever it is heard. */
  const asking = async <Answer>(operation: string, request: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await request();
    } catch (thrown) {
      const error = asKafkaError(thrown, { operation, group: groupId });
      if (codeOf(error) === 'LS_TRANSPORT_REVOKED') session.lose();
      throw error;
    }
  };
  const heartbeat = async (): Promise<void> => {
    const sentMs = options.clock.elapsedMs();
    const { rebalancing } = await asking('be a member of', member.heartbeat);
    session.answered(sentMs);
    if (rebalancing) ended.resolve({ kind: 'rebalance' });
  };

  await heartbeat();
  void keepAlive({ ...given, session, heartbeat, over: over.signal }).catch((error: unknown) => {
    ended.resolve({ kind: 'refused', error: error instanceof Error ? error : new Error(String(error)) });
  });
  void unlessAborted(ended.promise, closing).then(() => ended.resolve({ kind: 'closed' }));
  return {
    id: member.generationId,
    owner: {
      group: groupId,
      isAlive: session.isAlive,
      confirm: heartbeat,
      commit: (location, offset, metadata) => asking('commit an offset of', () => member.commit(location, offset, metadata)),
    },
    ended: ended.promise,
    lost: session.lost,
    end: ended.resolve,
    close: () => over.abort(),
    closed: over.signal,
  };
}

type Session = {
  /** Once false it stays so. */
  readonly isAlive: () => boolean;
  readonly answered: (sentMs: number) => void;
  readonly remainingMs: () => number;
  readonly lose: () => void;
  readonly lost: Promise<undefined>;
};

function createSession({ clock, sessionTimeoutMs }: GenerationOptions['options']): Session {
  const lost = Promise.withResolvers<undefined>();
  let aliveAtMs = clock.elapsedMs();
  let isLost = false;

  const lose = (): void => {
    isLost = true;
    lost.resolve(undefined);
  };
  const remainingMs = (): number => sessionTimeoutMs - (clock.elapsedMs() - aliveAtMs);
  return {
    isAlive: () => {
      if (remainingMs() < 0) lose();
      return !isLost;
    },
    answered: (sentMs) => {
      // An answer that was read too late says nothing of now.
      if (remainingMs() < 0) lose();
      aliveAtMs = Math.max(aliveAtMs, sentMs);
    },
    remainingMs,
    lose,
    lost: lost.promise,
  };
}

type Heartbeats = GenerationOptions & { readonly session: Session; readonly heartbeat: () => Promise<void>; readonly over: AbortSignal };

/** Until the session or the generation is over; rejects with what the coordinator refuses for good. */
async function keepAlive(beating: Heartbeats): Promise<void> {
  const { groupId, options: { clock, observer, heartbeatIntervalMs }, session, over, closing } = beating;
  const goesOn = (): boolean => !over.aborted && session.isAlive();
  while (goesOn()) {
    await clock.sleep(heartbeatIntervalMs, over);
    for (let failures = 0; goesOn(); ) {
      const failure = await failureOfHeartbeat(beating);
      if (failure === undefined) {
        if (failures > 0 && goesOn()) observer.groupAnswered(groupId);
        break;
      }
      failures += 1;
      const { error, timedOut } = failure;
      // One connection that ends is no outage: a broker may have been restarted, and the next heartbeat goes to the coordinator that took over.
      const isOutage = timedOut || (failures > 1 && isWithoutAnswer(error));
      if (isOutage && !over.aborted && !closing.aborted) observer.groupFailed(groupId, error);
      observer.message('warn', `A heartbeat of group ${groupId} failed.`, { error: error.message });
      await clock.sleep(retryMs, over);
    }
  }
}

type HeartbeatFailure = { readonly error: Error; readonly timedOut: boolean };

/** Undefined where it was answered, whatever the answer was, and where the session ended before it could be. Waits as long as the session lasts. */
async function failureOfHeartbeat({ groupId, options: { clock, heartbeatIntervalMs }, session, heartbeat, over }: Heartbeats): Promise<HeartbeatFailure | undefined> {
  const answered = heartbeat().then(
    () => undefined,
    (error: unknown): HeartbeatFailure | undefined => {
      // Told by the session.
      if (codeOf(error) === 'LS_TRANSPORT_REVOKED') return undefined;
      if (error instanceof Error && isRetryable(error)) return { error, timedOut: isWithoutAnswer(error) && codeOf(error) !== 'LS_KAFKA_UNREACHABLE' };
      throw error;
    },
  );
  const timer = new AbortController();
  const waitMs = Math.max(0, session.remainingMs()) + 1;
  const expired = clock.sleep(waitMs, AbortSignal.any([timer.signal, over])).then((): HeartbeatFailure | undefined => {
    // A process that was stopped, and has little of its session left, cannot blame the brokers.
    if (over.aborted || waitMs <= heartbeatIntervalMs) return undefined;
    return { error: kafkaError('LS_KAFKA_UNREACHABLE', `No heartbeat of group "${groupId}" was answered before its session ended.`, { group: groupId }), timedOut: true };
  });
  // Once nobody waits for the answer any more, nobody minds what it is.
  answered.catch(() => undefined);
  return Promise.race([answered, expired]).finally(() => timer.abort());
}

type Member = {
  readonly generationId: number;
  readonly heartbeat: () => Promise<{ readonly rebalancing: boolean }>;
  readonly commit: PartitionOwner['commit'];
};

/** The requests of this member in this generation: whatever is joined later, they do not become requests of another. */
function memberOf({ group, cluster, groupId }: GenerationOptions): Member {
  const { generationId, memberId } = group;
  let { coordinator } = group;
  if (generationId === null || memberId === null) throw new Error('kafkajs joined a group without an id');
  let finding: Promise<GroupCoordinator> | undefined;

  /** Connected here, once for all who wait: kafkajs would open a connection for each of them. */
  const findCoordinator = async (): Promise<GroupCoordinator> => {
    if (coordinator?.isConnected() === true) return coordinator;
    finding ??= cluster
      .findGroupCoordinator({ groupId })
      .then((found) => (coordinator = asCoordinator(found)))
      .finally(() => (finding = undefined));
    return finding;
  };
  const ask = async <Answer>(request: (coordinator: GroupCoordinator) => Promise<Answer>): Promise<Answer> => {
    const asked = await findCoordinator();
    try {
      return await request(asked);
    } catch (error) {
      const code = protocolCodeOf(error);
      // It has moved, or the connection is of no use any more; whatever else was answered was answered by the coordinator.
      if (code === undefined || code === 15 || code === 16) coordinator = null;
      throw error;
    }
  };
  return {
    generationId,
    heartbeat: async () => {
      try {
        await ask((asked) => asked.heartbeat({ groupId, memberId, groupGenerationId: generationId }));
        return { rebalancing: false };
      } catch (error) {
        if (protocolCodeOf(error) === rebalanceInProgress) return { rebalancing: true };
        throw error;
      }
    },
    commit: async ({ topic, partition }, offset, metadata) => {
      const place = { partition, offset: offset.toString(), metadata };
      await ask((asked) => asked.offsetCommit({ groupId, groupGenerationId: generationId, memberId, topics: [{ topic, partitions: [place] }] }));
    },
  };
}

export function asCoordinator(broker: object): GroupCoordinator {
  if (!isCoordinator(broker)) throw new Error('kafkajs is not the version that this was written for.');
  return broker;
}

function isCoordinator(broker: object): broker is GroupCoordinator {
  return 'heartbeat' in broker && 'leaveGroup' in broker;
}
