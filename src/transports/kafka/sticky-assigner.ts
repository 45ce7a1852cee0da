/**
 * Who gets which partition: as even as the subscriptions allow, and with as few moves as that allows, so that a fold keeps its state and a
 * rebalance costs what changed. Members tell what they had in their metadata; of two that claim a partition the later generation is right.
 *
 * Loads are evened out by moving partitions along chains of members (A gives one to B, B gives one to C) as long as a chain leads from a member
 * to one that has at least two fewer. With equal subscriptions all loads then differ by at most one; with different ones no assignment is more
 * even (Harvey et al., "Semi-matchings for bipartite graphs and load balancing", 2006).
 */
import type { Assigner, Cluster } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { TopicPartition } from '../../core/records.ts';

export type AssignmentMember = {
  readonly memberId: string;
  readonly topics: readonly string[];
  readonly had: readonly TopicPartition[];
  /** Of the group when it had them. */
  readonly generation: number;
};

export type Ownership = Pick<AssignmentMember, 'had' | 'generation'>;

/** Every partition of a topic that somebody reads, exactly once; the same for the same members in whatever order. Partitions are in order. */
export function assignSticky(
  members: readonly AssignmentMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> {
  const shares = [...members].sort((left, right) => compare(left.memberId, right.memberId)).map((member) => shareOf(member));
  const partitions = [...partitionCounts]
    .sort(([left], [right]) => compare(left, right))
    .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })));
  const owners = formerOwners(shares, partitionCounts);
  const orphans: TopicPartition[] = [];
  for (const partition of partitions) {
    const owner = owners.get(nameOf(partition));
    if (owner === undefined) orphans.push(partition);
    else add(owner, partition);
  }
  for (const partition of orphans) {
    const heir = leastLoaded(shares, partition.topic);
    if (heir !== undefined) add(heir, partition);
  }
  while (evenOut(shares));
  return new Map(shares.map(({ memberId, byTopic }) => [memberId, sorted([...byTopic.values()].flat())]));
}

type Share = AssignmentMember & { readonly reads: ReadonlySet<string>; readonly byTopic: Map<string, TopicPartition[]>; load: number };

function shareOf(member: AssignmentMember): Share {
  return { ...member, reads: new Set(member.topics), byTopic: new Map(), load: 0 };
}

function formerOwners(shares: readonly Share[], partitionCounts: ReadonlyMap<string, number>): ReadonlyMap<string, Share> {
  const owners = new Map<string, Share>();
  for (const share of shares) {
    for (const partition of share.had) {
      if (!share.reads.has(partition.topic) || partition.partition >= (partitionCounts.get(partition.topic) ?? 0)) continue;
      const rival = owners.get(nameOf(partition));
      if (rival === undefined || rival.generation < share.generation) owners.set(nameOf(partition), share);
    }
  }
  return owners;
}

const ofTopic = (share: Share, topic: string): number => share.byTopic.get(topic)?.length ?? 0;

/** Of equally loaded ones the one with the fewest partitions of the topic: each topic is spread. */
function leastLoaded(shares: readonly Share[], topic: string): Share | undefined {
  let least: Share | undefined;
  for (const share of shares) {
    if (!share.reads.has(topic)) continue;
    if (least === undefined || share.load < least.load || (share.load === least.load && ofTopic(share, topic) < ofTopic(least, topic))) {
      least = share;
    }
  }
  return least;
}

type Move = { readonly from: Share; readonly to: Share; readonly topic: string };

/** Moves one partition's worth of load from a member to one with at least two fewer; false where no such pair is left. */
function evenOut(shares: readonly Share[]): boolean {
  const byLoad = [...shares].sort((left, right) => right.load - left.load);
  for (const richest of byLoad) {
    const chain = chainFrom(richest, shares);
    if (chain === undefined) continue;
    for (const { from, to, topic } of chain) {
      const given = from.byTopic.get(topic)?.pop();
      if (given === undefined) continue;
      from.load -= 1;
      add(to, given);
    }
    return true;
  }
  return false;
}

/** The shortest chain to the poorest member within reach, breadth first, its last move first. */
function chainFrom(richest: Share, shares: readonly Share[]): readonly Move[] | undefined {
  const reachedBy = new Map<Share, Move | undefined>([[richest, undefined]]);
  let poorest: Share | undefined;
  // A map goes on over what is added to it meanwhile.
  for (const from of reachedBy.keys()) {
    if (poorest === undefined || from.load < poorest.load) poorest = from;
    for (const to of shares) {
      const topic = reachedBy.has(to) ? undefined : topicToGive(from, to);
      if (topic !== undefined) reachedBy.set(to, { from, to, topic });
    }
  }
  if (poorest === undefined || richest.load - poorest.load < 2) return undefined;
  const chain: Move[] = [];
  for (let move = reachedBy.get(poorest); move !== undefined; move = reachedBy.get(move.from)) chain.push(move);
  return chain;
}

/** The topic of which the giver has most, compared with the taker. */
function topicToGive(from: Share, to: Share): string | undefined {
  let best: string | undefined;
  let bestSurplus = -Infinity;
  for (const [topic, { length }] of from.byTopic) {
    const surplus = length - ofTopic(to, topic);
    if (length === 0 || !to.reads.has(topic) || surplus <= bestSurplus) continue;
    best = topic;
    bestSurplus = surplus;
  }
  return best;
}

function add(share: Share, partition: TopicPartition): void {
  const partitions = share.byTopic.get(partition.topic);
  if (partitions === undefined) share.byTopic.set(partition.topic, [partition]);
  else partitions.push(partition);
  share.load += 1;
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic} ${String(partition)}`;
const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

function sorted(partitions: readonly TopicPartition[]): readonly TopicPartition[] {
  return [...partitions].sort((left, right) => compare(left.topic, right.topic) || left.partition - right.partition);
}

const protocolName = 'labelstream-sticky';
const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

export type StickyAssignerOptions = {
  readonly cluster: Cluster;
  /** What this member tells of itself whenever it joins. */
  readonly ownership: () => Ownership;
  /** Told, where this member leads the group, how many partitions by topic it assigned. */
  readonly assigned: (partitionCounts: ReadonlyMap<string, number>) => void;
};

/** As kafkajs wants it. */
export function createStickyAssigner({ cluster, ownership, assigned }: StickyAssignerOptions): Assigner {
  return {
    name: protocolName,
    version: 0,
    protocol: ({ topics }) => ({
      name: protocolName,
      metadata: MemberMetadata.encode({ version: 0, topics, userData: encodeOwnership(ownership()) }),
    }),
    assign: async ({ members }) => {
      const decoded = members.map(({ memberId, memberMetadata }): AssignmentMember => {
        const metadata = MemberMetadata.decode(memberMetadata);
        return { memberId, topics: metadata?.topics ?? [], ...decodeOwnership(metadata?.userData) };
      });
      const topics = [...new Set(decoded.flatMap((member) => member.topics))];
      // Others may read topics that this member does not.
      await cluster.addMultipleTargetTopics(topics);
      const counts = new Map(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]));
      assigned(counts);
      return [...assignSticky(decoded, counts)].map(([memberId, partitions]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({ version: 0, assignment: groupByTopic(partitions), userData: Buffer.alloc(0) }),
      }));
    },
  };
}

function groupByTopic(partitions: readonly TopicPartition[]): Record<string, number[]> {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  return Object.fromEntries(byTopic);
}

const nothingHad: Ownership = { had: [], generation: -1 };

export function encodeOwnership({ had, generation }: Ownership): Buffer {
  return Buffer.from(JSON.stringify({ labelstream: 1, generation, had: groupByTopic(had) }));
}

/** Total: what another version or another program wrote says nothing. */
export function decodeOwnership(userData: Buffer | null | undefined): Ownership {
  try {
    const told: unknown = JSON.parse(userData?.toString() ?? '');
    if (!isTold(told)) return nothingHad;
    const had = Object.entries(told.had).flatMap(([topic, partitions]) =>
      Array.isArray(partitions) ? (partitions as unknown[]).filter(isPartition).map((partition) => ({ topic, partition })) : [],
    );
    return { had, generation: told.generation };
  } catch {
    return nothingHad;
  }
}

function isTold(told: unknown): told is { readonly generation: number; readonly had: object } {
  return (
    typeof told === 'object' && told !== null &&
    'labelstream' in told && told.labelstream === 1 &&
    'generation' in told && typeof told.generation === 'number' && Number.isInteger(told.generation) &&
    'had' in told && typeof told.had === 'object' && told.had !== null
  );
}

const isPartition = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
