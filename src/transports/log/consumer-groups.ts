/**
 * Consumer groups within this process. Whenever a member joins, leaves or fails, the whole group is rebalanced eagerly: every member gives
 * up everything (`revoked`, awaited on all, then the deliveries that had started), and only then is anything handed out again. That is what
 * makes a checkpoint read inside `assigned` final. One rebalance at a time per group; changes that arrive meanwhile share the next one.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { TopicPartition } from '../../core/records.ts';
import type { ConsumerListener, TopicDescription } from '../../pipeline/transport.ts';
import type { PartitionLocation } from './log-reader.ts';
import type { OwnedPartition } from './owned-partition.ts';

type GroupMember = {
  readonly topics: readonly TopicDescription[];
  readonly listener: ConsumerListener;
  readonly own: (location: PartitionLocation) => OwnedPartition;
};

export type ConsumerGroups = {
  /** Resolves, with how to leave, when the rebalance that takes the member in is over. Leaving twice is leaving once. */
  readonly join: (group: string, member: GroupMember) => Promise<() => Promise<void>>;
  /** Throws LS_TRANSPORT_GROUP_ACTIVE. */
  readonly requireEmpty: (group: string) => void;
  readonly closeAll: () => Promise<void>;
};

type Membership = GroupMember & {
  owned: readonly OwnedPartition[];
  leaving: boolean;
  failure: Error | undefined;
};

type Group = { members: Membership[]; joining: Membership[]; turn: Promise<void> };

export function createConsumerGroups(): ConsumerGroups {
  const groups = new Map<string, Group>();

  const groupNamed = (name: string): Group => {
    const existing = groups.get(name);
    if (existing !== undefined) return existing;
    const created: Group = { members: [], joining: [], turn: Promise.resolve() };
    groups.set(name, created);
    return created;
  };
  const leave = (group: Group, membership: Membership): Promise<void> => {
    membership.leaving = true;
    return takeTurn(group);
  };

  return {
    join: async (name, member) => {
      const group = groupNamed(name);
      const membership: Membership = { ...member, owned: [], leaving: false, failure: undefined };
      group.joining.push(membership);
      await takeTurn(group);
      return () => leave(group, membership);
    },
    requireEmpty: (name) => {
      const group = groups.get(name);
      if (group === undefined || group.members.length + group.joining.length === 0) return;
      throw pipelineError('LS_TRANSPORT_GROUP_ACTIVE', `Group ${name} has members in this process.`, { group: name });
    },
    closeAll: async () => {
      await Promise.all(
        [...groups.values()].map((group) => {
          for (const membership of [...group.members, ...group.joining]) membership.leaving = true;
          return takeTurn(group);
        }),
      );
    },
  };
}

function takeTurn(group: Group): Promise<void> {
  const turn = group.turn.then(() => rebalance(group));
  group.turn = turn;
  return turn;
}

const departing = (membership: Membership): boolean => membership.leaving || membership.failure !== undefined;

async function rebalance(group: Group): Promise<void> {
  while (group.joining.length > 0 || group.members.some(departing)) {
    await Promise.all(group.members.map(takeAway));
    group.members = [...group.members, ...group.joining.splice(0)].filter((membership) => !departing(membership));
    const shares = assignRanges(group.members.map((membership) => membership.topics));
    await Promise.all(group.members.map((membership, index) => handOut(membership, shares[index] ?? [])));
  }
}

async function takeAway(membership: Membership): Promise<void> {
  const { owned, listener } = membership;
  if (owned.length === 0) return;
  // A member that failed has nothing more to say about its partitions.
  if (membership.failure === undefined) {
    const partitions = owned.map(({ assigned }): TopicPartition => ({ topic: assigned.topic, partition: assigned.partition }));
    await attempt(membership, () => listener.revoked(partitions));
  }
  for (const partition of owned) partition.revoke();
  await Promise.all(owned.map((partition) => partition.settled()));
  membership.owned = [];
}

async function handOut(membership: Membership, share: readonly PartitionLocation[]): Promise<void> {
  if (share.length === 0) return;
  const owned = share.map(membership.own);
  membership.owned = owned;
  await attempt(membership, () => membership.listener.assigned(owned.map(({ assigned }) => assigned)));
}

/** A listener that rejects has ended its subscription; the rest of the group goes on without it. */
async function attempt(membership: Membership, call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    membership.failure = error instanceof Error ? error : new Error(String(error));
    membership.listener.failed(membership.failure);
  }
}

/**
 * Which partitions each member gets, given the topics each reads: topics read by the same members are pooled, their partitions sorted, and
 * cut into contiguous ranges whose lengths differ by at most one.
 */
export function assignRanges(memberTopics: readonly (readonly TopicDescription[])[]): readonly (readonly PartitionLocation[])[] {
  const pools = new Map<string, { readonly readers: readonly number[]; readonly locations: PartitionLocation[] }>();
  const described = new Map(memberTopics.flat().map((description) => [description.topic, description]));
  const sorted = [...described.values()].sort((left, right) => (left.topic < right.topic ? -1 : 1));
  for (const { topic, incarnation, partitionCount } of sorted) {
    const readers = [...memberTopics.keys()].filter((member) => memberTopics[member]?.some((description) => description.topic === topic));
    const name = readers.join(' ');
    const pool = pools.get(name) ?? { readers, locations: [] };
    pools.set(name, pool);
    for (let partition = 0; partition < partitionCount; partition++) pool.locations.push({ topic, partition, incarnation });
  }
  const shares: PartitionLocation[][] = memberTopics.map(() => []);
  for (const { readers, locations } of pools.values()) {
    for (const [rank, member] of readers.entries()) {
      const from = Math.floor((rank * locations.length) / readers.length);
      const to = Math.floor(((rank + 1) * locations.length) / readers.length);
      shares[member]?.push(...locations.slice(from, to));
    }
  }
  return shares;
}
