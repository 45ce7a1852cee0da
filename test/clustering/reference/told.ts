/**
 * What a consumer of the output knows: each item's last told assignment (kept on the item) and the aliases told since (SEMANTICS.md, rule 15).
 * To an assignment a consumer applies the aliases with a higher (epoch, sequence), one after the other. An alias stays while a live
 * item's last assignment names its id, directly or through another alias that stays.
 */
import type { Item, ToldCluster } from './item.ts';

export type Alias = { readonly from: string; readonly to: string; readonly sequence: bigint };

export type Told = {
  readonly tell: (item: Item, clusterId: string | null, sequence: bigint) => void;
  /** The item is not live any more. */
  readonly forget: (item: Item) => void;
  readonly retire: (alias: Alias) => void;
  /** What a consumer makes of an assignment. */
  readonly resolve: (told: ToldCluster) => string | null;
  /** Where an id leads by the aliases kept: to itself when there is none for it. */
  readonly follow: (clusterId: string) => string;
  /** Drops the aliases that nothing names any more: to be called at the end of a record. */
  readonly sweep: () => void;
  readonly aliases: () => Iterable<Alias>;
  /** Moves the sequences of all aliases; those of the items are their owner's. */
  readonly rebase: (distance: bigint) => void;
};

export function createTold(): Told {
  const aliases = new Map<string, Alias>();
  /** Cluster id -> how many items' last assignments and aliases kept name it. */
  const references = new Map<string, number>();
  const unnamed = new Set<string>();

  const name = (clusterId: string): void => {
    references.set(clusterId, (references.get(clusterId) ?? 0) + 1);
  };
  const unname = (clusterId: string): void => {
    const count = (references.get(clusterId) ?? 0) - 1;
    if (count > 0) {
      references.set(clusterId, count);
      return;
    }
    references.delete(clusterId);
    unnamed.add(clusterId);
  };
  const forget = (item: Item): void => {
    if (item.told !== undefined && item.told.clusterId !== null) unname(item.told.clusterId);
    item.told = undefined;
  };

  return {
    tell: (item, clusterId, sequence) => {
      forget(item);
      item.told = { clusterId, sequence };
      if (clusterId !== null) name(clusterId);
    },
    forget,
    retire: (alias) => {
      aliases.set(alias.from, alias);
      name(alias.to);
      if (!references.has(alias.from)) unnamed.add(alias.from);
    },
    resolve: (told) => {
      let { clusterId } = told;
      for (;;) {
        const alias = clusterId === null ? undefined : aliases.get(clusterId);
        if (alias === undefined || alias.sequence <= told.sequence) return clusterId;
        clusterId = alias.to;
      }
    },
    follow: (clusterId) => {
      let id = clusterId;
      for (let alias = aliases.get(id); alias !== undefined; alias = aliases.get(id)) id = alias.to;
      return id;
    },
    sweep: () => {
      // Dropping an alias may leave the next one unnamed; a Set also visits what is added while it is walked.
      for (const clusterId of unnamed) {
        unnamed.delete(clusterId);
        const alias = references.has(clusterId) ? undefined : aliases.get(clusterId);
        if (alias !== undefined) {
          aliases.delete(clusterId);
          unname(alias.to);
        }
      }
    },
    aliases: () => aliases.values(),
    rebase: (distance) => {
      for (const [from, alias] of aliases) aliases.set(from, { ...alias, sequence: alias.sequence + distance });
    },
  };
}
