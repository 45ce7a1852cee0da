/**
 * DBSCAN with identities by a literal reading of SEMANTICS.md (rules 14 and 15), from the full partitions before and after each record: O(n^2)
 * per step, no incremental state but the distances once computed, nothing shared with the engine but the hash of an id and the types.
 */
import type {
  ClusteringIdentity, ClusteringParameters, ClusterSummary, ItemState, Mutation, NetChange, ToldAssignment, Transition,
} from '../../src/clustering/clustering.ts';
import { clusterId } from '../../src/core/ids.ts';

type Place = { readonly index: number; readonly vector: Float32Array; readonly vectorBytes: Buffer; readonly norm: number };
type Point = { readonly itemId: string; readonly idBytes: Buffer; readonly place: Place };

/** `clusters[i].cores` and `.borders` are itemIds; whoever is in none is noise. */
type Partition = {
  readonly clusters: readonly { readonly cores: ReadonlySet<string>; readonly members: ReadonlySet<string> }[];
  readonly edgeCount: number;
};

type NamedCluster = { readonly id: string; readonly cores: ReadonlySet<string>; readonly members: ReadonlySet<string> };
type Founded = { readonly sequence: bigint; readonly rank: number };

function distanceBetween(left: Place, right: Place, metric: ClusteringParameters['metric']): number {
  if (left.vectorBytes.equals(right.vectorBytes)) return 0;
  let sum = 0;
  for (let index = 0; index < left.vector.length; index++) {
    const x = left.vector[index]!;
    const y = right.vector[index]!;
    sum += metric === 'euclidean' ? (x - y) * (x - y) : x * y;
  }
  return metric === 'euclidean' ? sum : 1 - sum / (left.norm * right.norm);
}

/** The vectors seen, each array once, and their distances, each computed once: most of a run is spent on the same few hundred. */
class Places {
  private readonly places = new Map<Float32Array, Place>();
  private readonly distances = { cosine: [] as Float64Array[], euclidean: [] as Float64Array[] };

  of(vector: Float32Array): Place {
    const known = this.places.get(vector);
    if (known !== undefined) return known;
    const vectorBytes = Buffer.alloc(4 * vector.length);
    for (const [index, value] of vector.entries()) vectorBytes.writeFloatLE(value, 4 * index);
    const index = this.places.size;
    const place = { index, vector, vectorBytes, norm: Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) };
    this.places.set(vector, place);
    for (const rows of [this.distances.cosine, this.distances.euclidean]) rows.push(new Float64Array(index + 1).fill(Infinity));
    return place;
  }

  /** NaN is a distance, too: that of the zero vector. */
  between(left: Place, right: Place, metric: ClusteringParameters['metric']): number {
    const row = this.distances[metric][Math.max(left.index, right.index)]!;
    const at = Math.min(left.index, right.index);
    if (row[at] === Infinity) row[at] = distanceBetween(left, right, metric);
    return row[at]!;
  }
}

function partitionOf(vectors: ReadonlyMap<string, Float32Array>, places: Places, { metric, eps, minPoints }: ClusteringParameters): Partition {
  const points = Array.from(vectors, ([itemId, vector]): Point => ({ itemId, idBytes: Buffer.from(itemId), place: places.of(vector) }));
  const limit = metric === 'cosine' ? eps : eps * eps;
  const near = points.map((): { other: number; distance: number }[] => []);
  let edgeCount = 0;
  for (let i = 0; i < points.length; i++) {
    for (let j = 0; j <= i; j++) {
      const distance = places.between(points[i]!.place, points[j]!.place, metric);
      if (!(distance <= limit)) continue;
      near[i]!.push({ other: j, distance });
      if (i !== j) near[j]!.push({ other: i, distance });
      if (i !== j) edgeCount++;
    }
  }
  const isCore = near.map((list) => list.length >= minPoints);
  const clusterOf = points.map(() => -1);
  let clusterCount = 0;
  for (const start of points.keys()) {
    if (!isCore[start] || clusterOf[start] !== -1) continue;
    const pending = [start];
    clusterOf[start] = clusterCount;
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const { other } of near[at]!) {
        if (!isCore[other] || clusterOf[other] !== -1) continue;
        clusterOf[other] = clusterCount;
        pending.push(other);
      }
    }
    clusterCount++;
  }
  for (const index of points.keys()) {
    if (isCore[index]) continue;
    const [nearest] = near[index]!
      .filter(({ other }) => isCore[other])
      .sort(
        (left, right) =>
          left.distance - right.distance ||
          Buffer.compare(points[left.other]!.place.vectorBytes, points[right.other]!.place.vectorBytes) ||
          Buffer.compare(points[left.other]!.idBytes, points[right.other]!.idBytes),
      );
    if (nearest !== undefined) clusterOf[index] = clusterOf[nearest.other]!;
  }
  const clusters = Array.from({ length: clusterCount }, () => ({ cores: new Set<string>(), members: new Set<string>() }));
  for (const [index, { itemId }] of points.entries()) {
    if (clusterOf[index] === -1) continue;
    clusters[clusterOf[index]!]!.members.add(itemId);
    if (isCore[index]) clusters[clusterOf[index]!]!.cores.add(itemId);
  }
  return { clusters, edgeCount };
}

const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));
const lowestOf = (members: ReadonlySet<string>): string => [...members].sort(byBytes)[0]!;

export type OracleStep = { readonly change: NetChange; readonly before: ReadonlyMap<string, ItemState>; readonly after: ReadonlyMap<string, ItemState> };

export class NaiveOracle {
  readonly vectors = new Map<string, Float32Array>();
  parameters: ClusteringParameters;
  private readonly places = new Places();
  private identity: ClusteringIdentity;
  private clusters: readonly NamedCluster[] = [];
  private edgeCount = 0;
  private readonly founded = new Map<string, Founded>();
  private readonly told = new Map<string, { readonly clusterId: string | null; readonly sequence: bigint }>();
  /** Every alias ever made. */
  private readonly aliases = new Map<string, { readonly to: string; readonly sequence: bigint }>();

  constructor(parameters: ClusteringParameters, identity: ClusteringIdentity) {
    this.parameters = parameters;
    this.identity = identity;
  }

  rebuild(parameters: ClusteringParameters, generation: string, sequence: bigint, mutations: readonly Mutation[] = []): OracleStep {
    this.parameters = parameters;
    this.identity = { ...this.identity, generation };
    return this.apply(mutations, sequence);
  }

  apply(mutations: readonly Mutation[], sequence: bigint): OracleStep {
    const before = this.items();
    const entered = new Set<string>();
    const removedTold = new Set<string>();
    for (const mutation of mutations) {
      entered.delete(mutation.itemId);
      if (mutation.kind === 'insert') {
        this.vectors.set(mutation.itemId, mutation.vector);
        entered.add(mutation.itemId);
        continue;
      }
      this.vectors.delete(mutation.itemId);
      if (before.has(mutation.itemId) && mutation.told) removedTold.add(mutation.itemId);
    }
    for (const itemId of before.keys()) if (!this.vectors.has(itemId) || entered.has(itemId)) this.told.delete(itemId);

    const previous = this.clusters;
    const { clusters, edgeCount } = partitionOf(this.vectors, this.places, this.parameters);
    this.edgeCount = edgeCount;
    const transitions = this.name(previous, clusters, sequence);
    const after = this.items();
    const assignments: ToldAssignment[] = [];
    for (const itemId of [...new Set([...after.keys(), ...removedTold])].sort(byBytes)) {
      const item = after.get(itemId);
      if (item === undefined) {
        assignments.push({ itemId, clusterId: null, role: 'removed' });
      } else if (entered.has(itemId) || this.resolveTold(itemId) !== item.clusterId) {
        assignments.push({ itemId, clusterId: item.clusterId, role: item.role });
        this.told.set(itemId, { clusterId: item.clusterId, sequence });
      }
    }
    return { change: { transitions, assignments }, before, after };
  }

  /** Matches old ids to new components, sets `clusters`, and tells the transitions. */
  private name(previous: readonly NamedCluster[], clusters: Partition['clusters'], sequence: bigint): Transition[] {
    const shared = (old: NamedCluster, index: number): number => [...old.cores].filter((id) => clusters[index]!.cores.has(id)).length;
    const older = (left: string, right: string): number => {
      const [a, b] = [this.founded.get(left)!, this.founded.get(right)!];
      return a.sequence < b.sequence ? -1 : a.sequence > b.sequence ? 1 : a.rank - b.rank;
    };
    const counts = previous.map((old) => clusters.map((_, index) => shared(old, index)));
    const ids = new Array<string | undefined>(clusters.length).fill(undefined);
    const freeOld = new Set(previous.keys());
    for (;;) {
      let best: { old: number; index: number } | undefined;
      for (const old of freeOld) {
        for (const index of clusters.keys()) {
          if (ids[index] !== undefined || counts[old]![index] === 0) continue;
          if (best === undefined) {
            best = { old, index };
            continue;
          }
          const order =
            counts[best.old]![best.index]! - counts[old]![index]! ||
            older(previous[old]!.id, previous[best.old]!.id) ||
            byBytes(lowestOf(clusters[index]!.members), lowestOf(clusters[best.index]!.members));
          if (order < 0) best = { old, index };
        }
      }
      if (best === undefined) break;
      ids[best.index] = previous[best.old]!.id;
      freeOld.delete(best.old);
    }
    const minted = [...clusters.keys()].filter((index) => ids[index] === undefined);
    minted.sort((left, right) => byBytes(lowestOf(clusters[left]!.members), lowestOf(clusters[right]!.members)));
    for (const [rank, index] of minted.entries()) {
      ids[index] = clusterId(this.identity.collection, this.identity.epoch, this.identity.generation, sequence, rank);
      this.founded.set(ids[index], { sequence, rank });
    }
    this.clusters = clusters
      .map((cluster, index) => ({ ...cluster, id: ids[index]! }))
      .sort((left, right) => older(left.id, right.id));
    const sizeOf = (index: number): { clusterId: string; size: number } => ({ clusterId: ids[index]!, size: clusters[index]!.members.size });
    const bySizeAge = (left: { clusterId: string }, right: { clusterId: string }): number => older(left.clusterId, right.clusterId);

    const dissolved: Transition[] = [];
    const split: Transition[] = [];
    const merged = new Map<number, string[]>();
    for (const old of [...previous.keys()].sort((left, right) => older(previous[left]!.id, previous[right]!.id))) {
      const { id } = previous[old]!;
      const homes = [...clusters.keys()].filter((index) => counts[old]![index]! > 0);
      homes.sort((left, right) => counts[old]![right]! - counts[old]![left]! || older(ids[left]!, ids[right]!));
      if (homes.length === 0) {
        dissolved.push({ type: 'dissolved', survivor: null, retired: [id], minted: [], sizes: [] });
        continue;
      }
      if (homes.length > 1) {
        const own = minted.filter((index) => {
          const largest = Math.max(...previous.keys().map((other) => counts[other]![index]!));
          const principals = [...previous.keys()].filter((other) => largest > 0 && counts[other]![index] === largest);
          principals.sort((left, right) => older(previous[left]!.id, previous[right]!.id));
          return principals[0] === old;
        });
        split.push({
          type: 'split', survivor: id, retired: [], minted: own.map((index) => ids[index]!), sizes: homes.map(sizeOf).sort(bySizeAge),
        });
      }
      if (ids.includes(id)) continue;
      this.aliases.set(id, { to: ids[homes[0]!]!, sequence });
      merged.set(homes[0]!, [...(merged.get(homes[0]!) ?? []), id]);
    }
    const joins = [...merged].sort(([left], [right]) => older(ids[left]!, ids[right]!)).map(
      ([index, retired]): Transition => ({ type: 'merged', survivor: ids[index]!, retired, minted: [], sizes: [sizeOf(index)] }),
    );
    const emerged = minted
      .filter((index) => previous.every((_, old) => counts[old]![index] === 0))
      .map((index): Transition => ({
        type: 'emerged', survivor: ids[index]!, retired: [], minted: [ids[index]!], sizes: [sizeOf(index)],
      }));
    return [...dissolved, ...split, ...joins, ...emerged];
  }

  private resolveTold(itemId: string): string | null | undefined {
    const told = this.told.get(itemId);
    let id = told?.clusterId;
    for (;;) {
      const alias = typeof id === 'string' ? this.aliases.get(id) : undefined;
      if (alias === undefined || alias.sequence <= told!.sequence) return id;
      id = alias.to;
    }
  }

  items(): Map<string, ItemState> {
    const items = new Map<string, ItemState>();
    for (const itemId of this.vectors.keys()) items.set(itemId, { itemId, role: 'noise', clusterId: null });
    for (const { id, cores, members } of this.clusters) {
      for (const itemId of members) {
        // Between a mutation and the naming that follows it, a cluster may still list who has left.
        if (items.has(itemId)) items.set(itemId, { itemId, role: cores.has(itemId) ? 'core' : 'border', clusterId: id });
      }
    }
    return items;
  }

  summaries(): ClusterSummary[] {
    return this.clusters.map(({ id, cores, members }) => ({
      clusterId: id, size: members.size, coreCount: cores.size, itemIds: [...members].sort(byBytes),
    }));
  }

  meanDegree(): number {
    return this.vectors.size === 0 ? 0 : (2 * this.edgeCount) / this.vectors.size;
  }

  idsEverMinted(): string[] {
    return [...this.founded.keys()];
  }

  /** Where every id ever minted leads by the aliases that a live item's last assignment still needs. */
  resolutions(): Map<string, string | undefined> {
    const kept = new Set<string>();
    for (const { clusterId: named } of this.told.values()) {
      for (let id = named; id !== null; id = this.aliases.get(id)?.to ?? null) kept.add(id);
    }
    const living = new Set(this.clusters.map(({ id }) => id));
    const resolutions = new Map<string, string | undefined>();
    for (const minted of this.founded.keys()) {
      let id: string | undefined = minted;
      while (id !== undefined && !living.has(id)) id = kept.has(id) ? this.aliases.get(id)?.to : undefined;
      resolutions.set(minted, id);
    }
    return resolutions;
  }
}
