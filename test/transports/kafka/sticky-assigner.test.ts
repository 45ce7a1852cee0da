import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import type { TopicPartition } from '../../../src/core/records.ts';
import { seededRandom, shuffled } from '../../../src/core/seeded-random.ts';
import { assignSticky, decodeOwnership, encodeOwnership, type AssignmentMember } from '../../../src/transports/kafka/sticky-assigner.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const scenarios = full ? 3_000 : 300;
const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${String(partition)}`;
const loadsOf = (assignment: ReturnType<typeof assignSticky>): readonly number[] => [...assignment.values()].map(({ length }) => length);

function member(memberId: string, topics: readonly string[], had: readonly TopicPartition[] = [], generation = 0): AssignmentMember {
  return { memberId, topics, had, generation };
}

function partitionsOf(counts: ReadonlyMap<string, number>): readonly TopicPartition[] {
  return [...counts].flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })));
}

/** Whether a partition can be moved, along a chain of members, from one to another with at least two fewer. */
function canBeEvened(members: readonly AssignmentMember[], assignment: ReturnType<typeof assignSticky>): boolean {
  const topicsOf = new Map(members.map(({ memberId, topics }) => [memberId, new Set(topics)]));
  return members.some(({ memberId: rich }) => {
    const reached = new Set([rich]);
    for (const from of reached) {
      for (const { topic } of assignment.get(from)!) for (const [to, topics] of topicsOf) if (topics.has(topic)) reached.add(to);
    }
    return [...reached].some((poor) => assignment.get(rich)!.length - assignment.get(poor)!.length >= 2);
  });
}

type Scenario = { readonly counts: Map<string, number>; members: readonly AssignmentMember[] };

function scenarioOf(seed: number, sameTopics: boolean): Scenario {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const counts = new Map(Array.from({ length: 1 + below(4) }, (_, index) => [`topic-${String(index)}`, below(9)]));
  const all = [...counts.keys()];
  const members = Array.from({ length: 1 + below(6) }, (_, index) =>
    member(`member-${String(index)}-${String(below(1_000))}`, sameTopics ? all : all.filter(() => random() < 0.6)),
  );
  return { counts, members };
}

function checkAssignment({ counts, members }: Scenario, assignment: ReturnType<typeof assignSticky>, seed: number): void {
  const readable = partitionsOf(counts).filter(({ topic }) => members.some(({ topics }) => topics.includes(topic)));
  expect([...assignment.values()].flat().map(nameOf).sort(), `seed ${String(seed)}: each once`).toEqual(readable.map(nameOf).sort());
  for (const { memberId, topics } of members) {
    expect(assignment.get(memberId)!.every(({ topic }) => topics.includes(topic)), `seed ${String(seed)}: only what is read`).toBe(true);
  }
  expect(canBeEvened(members, assignment), `seed ${String(seed)}: as even as can be`).toBe(false);
}

test.each([true, false])('assigns each partition once, as evenly as can be, whatever the order of the members (same topics: %s)', (sameTopics) => {
  for (let seed = 1; seed <= scenarios; seed++) {
    const scenario = scenarioOf(seed, sameTopics);
    const assignment = assignSticky(scenario.members, scenario.counts);
    checkAssignment(scenario, assignment, seed);
    if (sameTopics) expect(Math.max(...loadsOf(assignment)) - Math.min(...loadsOf(assignment)), `seed ${String(seed)}`).toBeLessThanOrEqual(1);
    const random = seededRandom(seed);
    expect(assignSticky(shuffled(scenario.members, random), new Map(shuffled([...scenario.counts], random))), `seed ${String(seed)}`).toEqual(assignment);
  }
});

/** With equal topics: the members that had most keep the larger shares. */
function keptAtMost(members: readonly AssignmentMember[], partitionCount: number, counts: ReadonlyMap<string, number>): number {
  const had = members.map((one) => one.had.filter(({ topic, partition }) => partition < (counts.get(topic) ?? 0)).length).sort((left, right) => right - left);
  const floor = Math.floor(partitionCount / members.length);
  return had.reduce((kept, count, rank) => kept + Math.min(count, floor + (rank < partitionCount % members.length ? 1 : 0)), 0);
}

test.each([true, false])('stays even, and keeps what it can, while members come and go and partitions are added (same topics: %s)', (sameTopics) => {
  for (let seed = 1; seed <= scenarios; seed++) {
    const scenario = scenarioOf(seed, sameTopics);
    const random = seededRandom(seed + 1_000_000);
    for (let generation = 1; generation <= 6; generation++) {
      const before = assignSticky(scenario.members, scenario.counts);
      const staying = scenario.members.filter(() => random() < 0.75);
      const coming = Array.from({ length: Math.floor(random() * 3) }, (_, index) =>
        member(`new-${String(generation)}-${String(index)}`, sameTopics ? [...scenario.counts.keys()] : [...scenario.counts.keys()].filter(() => random() < 0.6)),
      );
      const told = staying.map((one) => member(one.memberId, one.topics, before.get(one.memberId), generation));
      if (random() < 0.3) scenario.counts.set('topic-0', scenario.counts.get('topic-0')! + 1);
      const joined = [...told, ...coming];
      if (joined.length === 0) break;
      const next: Scenario = { counts: scenario.counts, members: joined };
      const after = assignSticky(joined, scenario.counts);
      checkAssignment(next, after, seed);
      expect(assignSticky(shuffled(joined, random), scenario.counts), `seed ${String(seed)}`).toEqual(after);
      if (sameTopics) {
        const kept = joined.flatMap(({ memberId, had }) => had.filter((one) => after.get(memberId)!.some((now) => nameOf(now) === nameOf(one)))).length;
        expect(kept, `seed ${String(seed)}, generation ${String(generation)}`).toBe(keptAtMost(joined, partitionsOf(scenario.counts).length, scenario.counts));
      }
      scenario.members = joined;
    }
  }
});

test('changes nothing where nothing changed, also with different topics', () => {
  for (let seed = 1; seed <= scenarios; seed++) {
    const { members, counts } = scenarioOf(seed, false);
    const before = assignSticky(members, counts);
    const again = members.map((one) => member(one.memberId, one.topics, before.get(one.memberId), 1));
    expect(assignSticky(again, counts), `seed ${String(seed)}`).toEqual(before);
  }
});

test('spreads each topic over members that have equally many', () => {
  const assignment = assignSticky([member('a', ['x', 'y']), member('b', ['x', 'y'])], new Map([['x', 2], ['y', 2]]));
  for (const partitions of assignment.values()) expect(partitions.map(({ topic }) => topic)).toEqual(['x', 'y']);
});

test('believes the later generation where two claim a partition', () => {
  const claimed = [{ topic: 'x', partition: 0 }];
  for (const [older, newer] of [['a', 'b'], ['b', 'a']] as const) {
    const assignment = assignSticky([member(older, ['x'], claimed, 4), member(newer, ['x'], claimed, 5)], new Map([['x', 1]]));
    expect(assignment.get(newer)).toEqual(claimed);
  }
});

test('ignores claims to partitions that are not there or not read', () => {
  const had = [{ topic: 'x', partition: 7 }, { topic: 'gone', partition: 0 }, { topic: 'y', partition: 0 }];
  const assignment = assignSticky([member('a', ['x'], had, 1), member('b', ['x', 'y'])], new Map([['x', 2], ['y', 1]]));
  expect([...assignment.values()].flat().map(nameOf).sort()).toEqual(['x-0', 'x-1', 'y-0']);
  expect(assignment.get('b')!.map(nameOf)).toContain('y-0');
});

test('carries what a member had as user data, and ignores that of others', () => {
  const ownership = { had: [{ topic: 'x', partition: 3 }, { topic: 'x', partition: 4 }, { topic: 'y', partition: 0 }], generation: 12 };
  expect(decodeOwnership(encodeOwnership(ownership))).toEqual(ownership);
  const nothing = { had: [], generation: -1 };
  const foreign = [
    undefined, null, '', 'null', '[]', '{}', '{"labelstream":2,"generation":1,"had":{}}', '{"labelstream":1,"generation":"1","had":{}}',
    '{"labelstream":1,"generation":1,"had":null}', '\u0000\u0001\u0000\u0000', '{"labelstream":1',
  ];
  for (const text of foreign) expect(decodeOwnership(typeof text === 'string' ? Buffer.from(text) : text)).toEqual(nothing);
  const half = decodeOwnership(Buffer.from('{"labelstream":1,"generation":3,"had":{"x":[0,-1,"2",1.5,null],"y":7}}'));
  expect(half).toEqual({ had: [{ topic: 'x', partition: 0 }], generation: 3 });
  const metadata = kafkajs.AssignerProtocol.MemberMetadata.encode({ version: 0, topics: ['x'], userData: encodeOwnership(ownership) });
  expect(decodeOwnership(kafkajs.AssignerProtocol.MemberMetadata.decode(metadata)!.userData)).toEqual(ownership);
});
