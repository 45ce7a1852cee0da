/**
 * The states of a features topic under another number of partitions (SEMANTICS.md, rule 11). Nothing is unread when this is done: all that EXTRACT
 * read is handled, and all that it made of it is folded. So what comes later was read later, and comes under a higher epoch.
 *
 * - A family moves whole, with its definition, items, ages, cluster ids, aliases, names and tombstones: to the partition of its name.
 * - Sequences begin anew with the new topic. What a clustering remembers by sequence moves below them, each collection's by one distance, so that
 *   ages and aliases keep their order among themselves and what comes is later. Consumers compare (epoch, sequence), and new ids hold the epoch.
 * - A mark says how far a features partition came with what EXTRACT reads. The furthest of the former partitions holds for all: EXTRACT goes on
 *   behind every one of them, so that nothing new is at or below it; and what comes again was in some partition before, so that it is.
 * - Time is the latest, as rule 13 has it of what comes after. Tombstones of whole partitions hold for all that there are now: they say which versions
 *   of an item were forgotten, wherever it is.
 */
import { partitionForKey } from '../../core/partitioning.ts';
import { isAtOrBelowMark, raiseMark, type Marks } from './marks.ts';
import { emptyState, type FeaturesPartition, type PartitionState } from './state.ts';
import { mergeTombstones } from './tombstones.ts';

export type FormerPartition = {
  readonly state: PartitionState;
  /** Of the last record folded; -1 where there never was one. */
  readonly sequence: bigint;
};

export type NewPartition = {
  readonly partition: FeaturesPartition;
  /** Which the state stands at; records come above it. */
  readonly sequence: bigint;
};

/** In the order of `partitions`, which are all of the topic, by number. Takes the former states apart. */
export function repartitionedStates(former: readonly FormerPartition[], partitions: readonly NewPartition[]): readonly PartitionState[] {
  const epoch = Math.max(...former.map(({ state }) => state.epoch)) + 1;
  const timeMs = Math.max(...former.map(({ state }) => state.timeMs));
  const engineVersion = Math.max(...former.map(({ state }) => state.engineVersion));
  const marks = furthestMarks(former);
  const states = partitions.map(({ partition }): PartitionState => ({ ...emptyState(partition), epoch, engineVersion, timeMs, marks: new Map(marks) }));
  const homeOf = (family: string): number => partitionForKey(family, partitions.length);
  for (const { state, sequence } of former) {
    for (const [name, family] of state.families) {
      const home = homeOf(name);
      const distance = (partitions[home]?.sequence ?? 0n) - sequence;
      for (const { clustering } of family.collections.values()) clustering.rebase(epoch, distance);
      if (family.pending !== undefined) family.pending = { ...family.pending, sequence: family.pending.sequence + distance, builtSinceMs: undefined };
      states[home]?.families.set(name, family);
    }
  }
  for (const [home, state] of states.entries()) {
    state.pendingResets = former.flatMap((each) => each.state.pendingResets.filter(({ family }) => homeOf(family) === home));
    mergeTombstones(state.tombstones, former.map((each) => each.state.tombstones), (scope) => scope === null || homeOf(scope) === home);
  }
  return states;
}

function furthestMarks(former: readonly FormerPartition[]): Marks {
  const furthest: Marks = new Map();
  for (const { state } of former) for (const mark of state.marks.values()) if (!isAtOrBelowMark(furthest, mark)) raiseMark(furthest, mark);
  return furthest;
}
