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
 * them; likewise all ids that share with a minted component have gone elsewhere, so they have split. Components and clusters are numbers here.
 */
import type { Transition } from '../clustering.ts';

/** Founding sequence, then rank among those founded by one record. */
export type Age = { readonly sequence: bigint; readonly rank: number };

/** Component -> old cluster -> how many items were core in the one and are in the other. */
export type Shares = ReadonlyMap<number, ReadonlyMap<number, number>>;

export type Identities = {
  readonly kept: ReadonlyMap<number, number>;
  /** Components without a cluster. They are ranked by lowest member itemId. */
  readonly left: readonly number[];
};

export function compareAges(left: Age, right: Age): number {
  if (left.sequence !== right.sequence) return left.sequence < right.sequence ? -1 : 1;
  return left.rank - right.rank;
}

/** What most records do: every component has cores of one old cluster, and of no cluster are there two. */
export function isUnchanged(clusters: ReadonlySet<number>, shares: Shares): boolean {
  if (clusters.size !== shares.size) return false;
  const seen = new Set<number>();
  for (const counts of shares.values()) {
    if (counts.size !== 1) return false;
    for (const cluster of counts.keys()) seen.add(cluster);
  }
  return seen.size === shares.size;
}

/** Those that share as much with a cluster as another one does, so that their lowest members decide. */
export function tiedComponents(shares: Shares): Set<number> {
  const tied = new Set<number>();
  const firsts = new Map<string, number>();
  for (const [component, counts] of shares) {
    for (const [cluster, count] of counts) {
      const first = firsts.get(`${cluster} ${count}`);
      if (first === undefined) firsts.set(`${cluster} ${count}`, component);
      else tied.add(first).add(component);
    }
  }
  return tied;
}

/** Step 1. `ageOf` knows every cluster in `shares`; `lowestMember` gives the bytes of the lowest member itemId of the components that are tied. */
export function matchIdentities(shares: Shares, ageOf: (cluster: number) => Age, lowestMember: (component: number) => Buffer): Identities {
  const pairs = [...shares].flatMap(([component, counts]) =>
    Array.from(counts, ([cluster, count]) => ({ component, cluster, count, age: ageOf(cluster) })),
  );
  pairs.sort(
    (left, right) => right.count - left.count || compareAges(left.age, right.age) || Buffer.compare(lowestMember(left.component), lowestMember(right.component)),
  );
  const kept = new Map<number, number>();
  const taken = new Set<number>();
  for (const { component, cluster } of pairs) {
    if (kept.has(component) || taken.has(cluster)) continue;
    kept.set(component, cluster);
    taken.add(cluster);
  }
  return { kept, left: [...shares.keys()].filter((component) => !kept.has(component)) };
}

export type Evolution = {
  readonly aliases: readonly { readonly from: number; readonly to: number }[];
  readonly dissolved: readonly number[];
  readonly transitions: readonly Transition[];
};

/** What the components and clusters of a record are, once every component has its cluster. */
export type Named = {
  readonly ageOf: (cluster: number) => Age;
  readonly idOf: (cluster: number) => string;
  readonly clusterOf: (component: number) => number;
  readonly sizeOf: (component: number) => number;
};

/** Step 3 and the transitions. */
export function evolve(clusters: ReadonlySet<number>, shares: Shares, unnamed: readonly number[], named: Named): Evolution {
  const { ageOf, clusterOf } = named;
  const byAge = (left: number, right: number): number => compareAges(ageOf(left), ageOf(right));
  const homes = homesOf(clusters, shares, byAge, clusterOf);
  const living = new Set(Array.from(shares.keys(), clusterOf));
  const aliases: { from: number; to: number }[] = [];
  const dissolved: number[] = [];
  for (const [from, [home]] of homes) {
    if (living.has(from)) continue;
    if (home === undefined) dissolved.push(from);
    else aliases.push({ from, to: clusterOf(home.component) });
  }
  return { aliases, dissolved, transitions: transitionsOf({ homes, shares, unnamed, aliases, dissolved, byAge, ...named }) };
}

type Home = { readonly component: number; readonly count: number };
/** Old clusters by age -> the components that share with them, the one that shares most first. */
type Homes = ReadonlyMap<number, readonly Home[]>;
type ByAge = (left: number, right: number) => number;

function homesOf(clusters: ReadonlySet<number>, shares: Shares, byAge: ByAge, clusterOf: Named['clusterOf']): Homes {
  const homes = new Map<number, Home[]>(Array.from([...clusters].sort(byAge), (cluster) => [cluster, []]));
  for (const [component, counts] of shares) {
    for (const [cluster, count] of counts) homes.get(cluster)?.push({ component, count });
  }
  for (const list of homes.values()) {
    list.sort((left, right) => right.count - left.count || byAge(clusterOf(left.component), clusterOf(right.component)));
  }
  return homes;
}

/**
 * The fixed order: dissolved, split, merged, emerged; within each by the age of the id it is about. So what a record breaks comes before what
 * it joins, and an id is named as split before it is retired: one record may split A and move a part of it to B (split: survivor A, nothing
 * minted, sizes of A and B), or break A up among B and C (split: survivor A, sizes of B and C; then merged: A retired into B or C).
 * Sizes are those of the clusters that live after the record and hold a core of the cluster concerned.
 */
function transitionsOf(
  evolution: Named & {
    readonly homes: Homes;
    readonly shares: Shares;
    readonly unnamed: readonly number[];
    readonly aliases: readonly { readonly from: number; readonly to: number }[];
    readonly dissolved: readonly number[];
    readonly byAge: ByAge;
  },
): Transition[] {
  const { homes, shares, unnamed, byAge, idOf, clusterOf, sizeOf } = evolution;
  const sizesOf = (components: readonly number[]): Transition['sizes'] =>
    components
      .toSorted((left, right) => byAge(clusterOf(left), clusterOf(right)))
      .map((component) => ({ clusterId: idOf(clusterOf(component)), size: sizeOf(component) }));
  const transitions: Transition[] = evolution.dissolved.map((cluster) => ({
    type: 'dissolved', survivor: null, retired: [idOf(cluster)], minted: [], sizes: [],
  }));
  for (const [cluster, places] of homes) {
    if (places.length < 2) continue;
    const minted = unnamed.filter((component) => principalOf(shares.get(component), byAge) === cluster).map((component) => idOf(clusterOf(component)));
    const sizes = sizesOf(places.map(({ component }) => component));
    transitions.push({ type: 'split', survivor: idOf(cluster), retired: [], minted, sizes });
  }
  const componentsByCluster = new Map(Array.from(shares.keys(), (component) => [clusterOf(component), component]));
  const mergedInto = Map.groupBy(evolution.aliases, ({ to }) => to);
  for (const [survivor, aliases] of [...mergedInto].sort(([left], [right]) => byAge(left, right))) {
    const component = componentsByCluster.get(survivor);
    const sizes = component === undefined ? [] : sizesOf([component]);
    transitions.push({ type: 'merged', survivor: idOf(survivor), retired: aliases.map(({ from }) => idOf(from)), minted: [], sizes });
  }
  for (const component of unnamed) {
    if ((shares.get(component)?.size ?? 0) > 0) continue;
    const clusterId = idOf(clusterOf(component));
    transitions.push({ type: 'emerged', survivor: clusterId, retired: [], minted: [clusterId], sizes: sizesOf([component]) });
  }
  return transitions;
}

/** The old cluster that a component shares most with; a tie goes to the older. */
function principalOf(counts: ReadonlyMap<number, number> | undefined, byAge: ByAge): number | undefined {
  const [principal] = [...(counts ?? [])].sort(([leftCluster, left], [rightCluster, right]) => right - left || byAge(leftCluster, rightCluster));
  return principal?.[0];
}
