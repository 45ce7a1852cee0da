/**
 * For whoever consumes `labels` and `cluster-events`: answers which cluster each item is in now (SEMANTICS.md, rule 15).
 *
 * An item is told its cluster once; when clusters merge, one event says that an id goes on under another. So to an assignment told at a
 * position exactly the aliases told later apply, one after the other. A position is (epoch, sequence of the features record); it orders both
 * topics, which may therefore be read in any order relative to each other, and again: what has been seen changes nothing.
 */
import { clusteringError } from '../core/errors/clustering.ts';
import type { ClusterEvent, LabelEvent } from '../core/events.generated.ts';

export type ResolverPosition = { readonly epoch: number; readonly sequence: bigint };

/** As much of a ClusterEvent as is read here. */
export type ClusterChange = Pick<ClusterEvent, 'type' | 'family' | 'collection' | 'epoch' | 'sequence' | 'survivor' | 'retired' | 'name'>;

export type ClusterResolver = {
  /** Results other than assignments are ignored, so that a whole `labels` topic can be passed in. */
  readonly applyLabel: (event: Pick<LabelEvent, 'itemId' | 'revision' | 'result'>) => void;
  readonly applyClusterEvent: (event: ClusterChange) => void;
  /**
   * @param family needed only where the item is in collections of several families.
   * @returns the cluster's id, null for noise, undefined for an item that is unknown, removed, or void since a reset.
   * @throws LS_CLUSTERING_FAMILY_AMBIGUOUS
   */
  readonly clusterOf: (itemId: string, family?: string) => string | null | undefined;
  /** The name last given to a living cluster. */
  readonly nameOf: (clusterId: string) => string | undefined;
  /** Drops an item that the consumer itself has dropped: leaving a window is told to nobody. */
  readonly forget: (itemId: string) => void;
  /**
   * Frees what only records up to a position could still need: marks of removed items and of clusters that are gone, and aliases that no
   * item's assignment leads through.
   * To be called only when both topics have been read through there, and will not be read again from before.
   */
  readonly prune: (family: string, through: ResolverPosition) => void;
  /** Every item that `clusterOf` knows, in no particular order. */
  readonly items: () => readonly ResolvedItem[];
  /** All it knows, as text for `createClusterResolver`: kept together with the consumer's place in the topics, it survives a restart. */
  readonly save: () => string;
};

export type ResolvedItem = {
  readonly itemId: string;
  readonly family: string;
  readonly collection: string;
  /** null for noise. */
  readonly clusterId: string | null;
};

type Entry = { readonly collection: string; readonly position: ResolverPosition };
type ToldItem = Entry & { readonly clusterId: string | null; readonly removed: boolean };
type Alias = Entry & { readonly to: string };
type Name = Entry & { readonly name: string };

type Family = {
  readonly items: Map<string, ToldItem>;
  readonly aliases: Map<string, Alias>;
  readonly names: Map<string, Name>;
  /** Cluster id -> where it was merged into another or dissolved: what was said of it up to there is past. */
  readonly retirements: Map<string, Entry>;
  /** Collection -> where it last began anew: what was told before is void. */
  readonly resets: Map<string, ResolverPosition>;
};

/**
 * @param saved what `save` gave.
 * @throws LS_CLUSTERING_RESOLVER_STATE_INVALID
 */
export function createClusterResolver(saved?: string): ClusterResolver {
  const families = saved === undefined ? new Map<string, Family>() : familiesOf(saved);
  const familyOf = (name: string): Family => {
    const family = families.get(name) ?? createFamily();
    families.set(name, family);
    return family;
  };
  return {
    applyLabel: ({ itemId, revision, result }) => {
      if (!('labelstream.v1.Assignment' in result)) return;
      const { family: name, collection, clusterId, role, sequence } = result['labelstream.v1.Assignment'];
      const family = familyOf(name);
      const told: ToldItem = { collection, clusterId, removed: role === 'removed', position: { epoch: revision.epoch, sequence } };
      const known = family.items.get(itemId);
      if (isVoid(family, told) || (known !== undefined && comparePositions(told.position, known.position) <= 0)) return;
      family.items.set(itemId, told);
    },
    applyClusterEvent: (event) => {
      const family = familyOf(event.family);
      if (event.type === 'reset') reset(family, event);
      else if (!isVoid(family, { collection: event.collection, position: event })) applyChange(family, event);
    },
    clusterOf: (itemId, name) => {
      const searched = name === undefined ? [...families.values()] : [familyOf(name)];
      const found = searched.filter(({ items }) => items.get(itemId)?.removed === false);
      if (found.length > 1) {
        const message = `item ${itemId} is in collections of ${found.length} families: name the one you mean`;
        throw clusteringError('LS_CLUSTERING_FAMILY_AMBIGUOUS', message, { itemId });
      }
      const told = found[0]?.items.get(itemId);
      return found[0] && told && resolve(found[0], told);
    },
    nameOf: (clusterId) => {
      for (const { names } of families.values()) {
        const named = names.get(clusterId);
        if (named !== undefined && named.name !== '') return named.name;
      }
      return undefined;
    },
    forget: (itemId) => {
      for (const { items } of families.values()) items.delete(itemId);
    },
    prune: (name, through) => prune(familyOf(name), through),
    items: () =>
      [...families].flatMap(([name, family]) =>
        [...family.items].flatMap(([itemId, told]) =>
          told.removed ? [] : [{ itemId, family: name, collection: told.collection, clusterId: resolve(family, told) }],
        ),
      ),
    save: () => JSON.stringify({ format: savedFormat, families }, savedPart),
  };
}

const savedFormat = 'labelstream cluster resolver 1';

/** What JSON has no word for: a map as the list of its entries, a bigint as text, each under a name of its own. */
function savedPart(_key: string, part: unknown): unknown {
  if (part instanceof Map) return { map: [...(part as ReadonlyMap<unknown, unknown>)] };
  return typeof part === 'bigint' ? { bigint: String(part) } : part;
}

function restoredPart(_key: string, part: unknown): unknown {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
  if ('map' in part) return new Map(part.map as [unknown, unknown][]);
  return 'bigint' in part ? BigInt(part.bigint as string) : part;
}

function familiesOf(saved: string): Map<string, Family> {
  try {
    const { format, families } = JSON.parse(saved, restoredPart) as { readonly format?: unknown; readonly families?: Map<string, Family> };
    if (format === savedFormat && families instanceof Map) return families;
  } catch (error) {
    throw clusteringError('LS_CLUSTERING_RESOLVER_STATE_INVALID', 'the saved state is no JSON', {}, { cause: error });
  }
  throw clusteringError('LS_CLUSTERING_RESOLVER_STATE_INVALID', `the saved state is not of the format "${savedFormat}"`);
}

function createFamily(): Family {
  return { items: new Map(), aliases: new Map(), names: new Map(), retirements: new Map(), resets: new Map() };
}

function comparePositions(left: ResolverPosition, right: ResolverPosition): number {
  if (left.epoch !== right.epoch) return left.epoch - right.epoch;
  return left.sequence === right.sequence ? 0 : left.sequence < right.sequence ? -1 : 1;
}

function isVoid(family: Family, { collection, position }: Entry): boolean {
  const resetAt = family.resets.get(collection);
  return resetAt !== undefined && comparePositions(position, resetAt) < 0;
}

function resolve(family: Family, told: ToldItem): string | null {
  let { clusterId } = told;
  for (;;) {
    const alias = clusterId === null ? undefined : family.aliases.get(clusterId);
    if (alias === undefined || comparePositions(alias.position, told.position) <= 0) return clusterId;
    clusterId = alias.to;
  }
}

function applyChange(family: Family, event: ClusterChange): void {
  const { collection, survivor, retired, epoch, sequence } = event;
  const entry: Entry = { collection, position: { epoch, sequence } };
  if (event.type === 'merged' && survivor !== null) {
    for (const from of retired) family.aliases.set(from, { ...entry, to: survivor });
  }
  for (const clusterId of retired) {
    family.retirements.set(clusterId, entry);
    family.names.delete(clusterId);
  }
  if (event.type !== 'labelled' || survivor === null) return;
  const known = family.names.get(survivor);
  if (known !== undefined && comparePositions(entry.position, known.position) < 0) return;
  const retirement = family.retirements.get(survivor);
  if (retirement !== undefined && comparePositions(entry.position, retirement.position) <= 0) return;
  family.names.set(survivor, { ...entry, name: event.name ?? '' });
}

function reset(family: Family, { collection, epoch, sequence }: ClusterChange): void {
  const known = family.resets.get(collection);
  if (known !== undefined && comparePositions({ epoch, sequence }, known) <= 0) return;
  family.resets.set(collection, { epoch, sequence });
  for (const entries of [family.items, family.aliases, family.names, family.retirements]) {
    for (const [key, entry] of entries) if (entry.collection === collection && isVoid(family, entry)) entries.delete(key);
  }
}

function prune(family: Family, through: ResolverPosition): void {
  const isPast = ({ position }: Entry): boolean => comparePositions(position, through) <= 0;
  const used = new Set<string>();
  for (const [itemId, told] of family.items) {
    if (told.removed && isPast(told)) family.items.delete(itemId);
    let id = told.clusterId;
    while (id !== null && !used.has(id)) {
      used.add(id);
      id = family.aliases.get(id)?.to ?? null;
    }
  }
  for (const [from, alias] of family.aliases) if (!used.has(from) && isPast(alias)) family.aliases.delete(from);
  for (const [clusterId, named] of family.names) if (named.name === '' && isPast(named)) family.names.delete(clusterId);
  for (const [clusterId, retirement] of family.retirements) if (isPast(retirement)) family.retirements.delete(clusterId);
}
