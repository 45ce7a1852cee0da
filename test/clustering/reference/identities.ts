/**
 * Which cluster id each component goes on under (SEMANTICS.md, rule 14). By the items that are core before and after the record ("shared"):
 *
 * 1. Greedily, the pair of an old id and a component that share most goes together; ties: the older id, then the component with the lowest
 *    member itemId.
 * 2. A component left over mints an id.
 * 3. An old id left over becomes an alias of the component that shares most with it (tie: the older resulting id), or is dissolved when no
 *    component shares anything with it.
 *
 * From the same figures come the transitions. All components that share with an id left over hold ids, since otherwise step 1 had matched
 * them; likewise all ids that share with a minted component have gone elsewhere, so they have split.
 */
import type { Transition } from '../../../src/clustering/clustering.ts';
import { lowestMemberOf, sizeOf, type Component } from './item.ts';
import { compareItemIds } from '../../../src/core/ids.ts';

/** Founding sequence, then rank among those founded by one record. */
export type Age = { readonly sequence: bigint; readonly rank: number };

export type Shares = ReadonlyMap<Component, ReadonlyMap<string, number>>;

export type Identities = {
  readonly kept: ReadonlyMap<Component, string>;
  /** In the order of their ranks: by lowest member itemId. */
  readonly unnamed: readonly Component[];
};

export function compareAges(left: Age, right: Age): number {
  if (left.sequence !== right.sequence) return left.sequence < right.sequence ? -1 : 1;
  return left.rank - right.rank;
}

/** Step 1. `ageOf` knows every id in `shares`. */
export function matchIdentities(shares: Shares, ageOf: (clusterId: string) => Age): Identities {
  const lowestMembers = new Map<Component, string>();
  const lowestMember = (component: Component): string => {
    const lowest = lowestMembers.get(component) ?? lowestMemberOf(component);
    lowestMembers.set(component, lowest);
    return lowest;
  };
  const pairs = [...shares].flatMap(([component, counts]) =>
    Array.from(counts, ([clusterId, count]) => ({ component, clusterId, count, age: ageOf(clusterId) })),
  );
  pairs.sort(
    (left, right) =>
      right.count - left.count ||
      compareAges(left.age, right.age) ||
      compareItemIds(lowestMember(left.component), lowestMember(right.component)),
  );
  const kept = new Map<Component, string>();
  const taken = new Set<string>();
  for (const { component, clusterId } of pairs) {
    if (kept.has(component) || taken.has(clusterId)) continue;
    kept.set(component, clusterId);
    taken.add(clusterId);
  }
  const unnamed = [...shares.keys()].filter((component) => !kept.has(component));
  unnamed.sort((left, right) => compareItemIds(lowestMember(left), lowestMember(right)));
  return { kept, unnamed };
}

export type Evolution = {
  readonly aliases: readonly { readonly from: string; readonly to: string }[];
  readonly dissolved: readonly string[];
  readonly transitions: readonly Transition[];
};

/** Step 3 and the transitions, once every component has its id. `ageOf` knows the old ids and the new ones. */
export function evolve(
  clusterIds: ReadonlySet<string>,
  shares: Shares,
  unnamed: readonly Component[],
  ageOf: (clusterId: string) => Age,
): Evolution {
  const byAge = (left: string, right: string): number => compareAges(ageOf(left), ageOf(right));
  const homes = homesOf(clusterIds, shares, byAge);
  const living = new Set(Array.from(shares.keys(), idOf));
  const aliases: { from: string; to: string }[] = [];
  const dissolved: string[] = [];
  for (const [from, [home]] of homes) {
    if (living.has(from)) continue;
    if (home === undefined) dissolved.push(from);
    else aliases.push({ from, to: idOf(home.component) });
  }
  return { aliases, dissolved, transitions: transitionsOf({ homes, shares, unnamed, aliases, dissolved, byAge }) };
}

type Home = { readonly component: Component; readonly count: number };
/** Old ids by age -> the components that share with them, the one that shares most first. */
type Homes = ReadonlyMap<string, readonly Home[]>;
type ByAge = (left: string, right: string) => number;

function homesOf(clusterIds: ReadonlySet<string>, shares: Shares, byAge: ByAge): Homes {
  const homes = new Map<string, Home[]>(Array.from([...clusterIds].sort(byAge), (clusterId) => [clusterId, []]));
  for (const [component, counts] of shares) {
    for (const [clusterId, count] of counts) homes.get(clusterId)?.push({ component, count });
  }
  for (const list of homes.values()) {
    list.sort((left, right) => right.count - left.count || byAge(idOf(left.component), idOf(right.component)));
  }
  return homes;
}

/**
 * The fixed order: dissolved, split, merged, emerged; within each by the age of the id it is about. So what a record breaks comes before what
 * it joins, and an id is named as split before it is retired: one record may split A and move a part of it to B (split: survivor A, nothing
 * minted, sizes of A and B), or break A up among B and C (split: survivor A, sizes of B and C; then merged: A retired into B or C).
 * Sizes are those of the clusters that live after the record and hold a core of the cluster concerned.
 */
function transitionsOf(evolution: {
  readonly homes: Homes;
  readonly shares: Shares;
  readonly unnamed: readonly Component[];
  readonly aliases: readonly { readonly from: string; readonly to: string }[];
  readonly dissolved: readonly string[];
  readonly byAge: ByAge;
}): Transition[] {
  const { homes, shares, unnamed, byAge } = evolution;
  const sizesOf = (components: readonly Component[]): Transition['sizes'] =>
    components
      .map((component) => ({ clusterId: idOf(component), size: sizeOf(component) }))
      .sort((left, right) => byAge(left.clusterId, right.clusterId));
  const transitions: Transition[] = evolution.dissolved.map((clusterId) => ({
    type: 'dissolved', survivor: null, retired: [clusterId], minted: [], sizes: [],
  }));
  for (const [clusterId, places] of homes) {
    if (places.length < 2) continue;
    const minted = unnamed.filter((component) => principalOf(shares.get(component), byAge) === clusterId).map(idOf);
    const sizes = sizesOf(places.map(({ component }) => component));
    transitions.push({ type: 'split', survivor: clusterId, retired: [], minted, sizes });
  }
  const componentsById = new Map(Array.from(shares.keys(), (component) => [idOf(component), component]));
  const mergedInto = Map.groupBy(evolution.aliases, ({ to }) => to);
  for (const [survivor, aliases] of [...mergedInto].sort(([left], [right]) => byAge(left, right))) {
    const component = componentsById.get(survivor);
    const sizes = component === undefined ? [] : sizesOf([component]);
    transitions.push({ type: 'merged', survivor, retired: aliases.map(({ from }) => from), minted: [], sizes });
  }
  for (const component of unnamed) {
    if ((shares.get(component)?.size ?? 0) > 0) continue;
    const clusterId = idOf(component);
    transitions.push({ type: 'emerged', survivor: clusterId, retired: [], minted: [clusterId], sizes: sizesOf([component]) });
  }
  return transitions;
}

/** The old id that a component shares most with; a tie goes to the older. */
function principalOf(counts: ReadonlyMap<string, number> | undefined, byAge: ByAge): string | undefined {
  const [principal] = [...(counts ?? [])].sort(([leftId, left], [rightId, right]) => right - left || byAge(leftId, rightId));
  return principal?.[0];
}

function idOf(component: Component): string {
  return component.clusterId ?? '';
}
