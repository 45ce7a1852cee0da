/** The report on one item, for people and for programs. */
import type { ClusterView } from '../../stages/cluster/cluster-queries.ts';
import type { RecordPlace } from './find-records.ts';
import type { Until } from '../../administration/known-retention.ts';

export type SnapshotPlace = {
  readonly partition: number;
  readonly incarnation: string;
  readonly sequence: bigint;
  /** Undefined: it cannot be read, so any of them may be in it. */
  readonly items: ReadonlySet<string> | undefined;
};

export type ItemReport = {
  readonly item: string;
  readonly live: ReturnType<ClusterView['item']>['value'];
  readonly tombstones: ReturnType<ClusterView['tombstones']>['value'];
  readonly records: readonly (RecordPlace & { readonly until: Until })[];
  readonly snapshots: readonly SnapshotPlace[];
  /** What the state store holds besides snapshots that can be looked into, by name: any item may be in it. */
  readonly strays: readonly string[];
};

const holdsText = {
  input: 'its input', vector: 'its vector or what goes with it', 'dead-letter': 'a dead letter of it', result: 'its results, not its bytes', name: 'its name alone',
  unreadable: 'the bytes of its id, in what is no event, so that it may hold more of it',
} as const;
const snapshotCondition = 'three newer snapshots of the partition are written, which takes new records in it';

export function reportLines(report: ItemReport): readonly string[] {
  const { item, live, tombstones, records, snapshots, strays } = report;
  const lines = [`${item}: ${isUnheardOf(report) ? unheardOfText : standingText[standingOf(report)]}`];
  for (const { collection, clusterId } of live) lines.push(`  live in collection ${collection}${clusterId === null ? '' : `, cluster ${clusterId}`}, until it is forgotten or deleted`);
  for (const { topic, partition, holds, records: count, firstSequence, lastSequence, until } of records) {
    const sequences = firstSequence === lastSequence ? `sequence ${firstSequence}` : `${count} records, the last with sequence ${lastSequence}`;
    lines.push(`  ${topic} partition ${partition}, ${sequences}: ${holdsText[holds]}; until ${until.condition}${until.latest === null ? '' : `, by ${until.latest} at the latest, ${until.proviso}`}`);
  }
  for (const snapshot of snapshots) lines.push(`  snapshot ${snapshotName(snapshot)}: ${snapshot.items === undefined ? 'cannot be read, so it may hold its vector' : 'its vector'}; until ${snapshotCondition}`);
  for (const name of strays) lines.push(`  ${name} in the state store: nothing restores from it or looks into it, so it may hold its vector; until ${strayCondition(name)}`);
  if (tombstones.length === 0) lines.push('  no tombstone: it was not forgotten or deleted, or that is not carried out yet, or its time is over');
  for (const { partition, family, setAtMs, untilMs } of tombstones) {
    lines.push(`  tombstone in features partition ${partition}${family === null ? '' : ` for ${family}`} of ${new Date(setAtMs).toISOString()}, ${untilMs === null ? 'for ever' : `until ${new Date(untilMs).toISOString()}`}`);
  }
  return lines;
}

export function reportObject(report: ItemReport): object {
  const { item, live, tombstones, records, snapshots, strays } = report;
  const standing = standingOf(report);
  return {
    item,
    gone: standing === 'gone',
    standing,
    live: live.map(({ family, collection, clusterId }) => ({ family, collection, clusterId })),
    records: records.map(({ topic, partition, holds, records: count, firstSequence, lastSequence, lastAppendTimeMs, until }) => ({
      topic, partition, holds, records: count, firstSequence, lastSequence, lastAppendTime: new Date(lastAppendTimeMs).toISOString(), until,
    })),
    snapshots: snapshots.map((snapshot) => ({
      name: snapshotName(snapshot), partition: snapshot.partition, sequence: snapshot.sequence, readable: snapshot.items !== undefined, until: { latest: null, condition: snapshotCondition },
    })),
    strays: strays.map((name) => ({ name, until: { latest: null, condition: strayCondition(name) } })),
    tombstones: tombstones.map(({ partition, family, setAtMs, untilMs }) => ({
      partition, family, setAt: new Date(setAtMs).toISOString(), until: untilMs === null ? null : new Date(untilMs).toISOString(),
    })),
  };
}

const standingText = {
  live: 'live',
  kept: 'not live, and not gone yet',
  unknown: 'not found, and not known to be gone: it may be in what cannot be read',
  gone: 'gone: neither its input nor its vector is in the log or in a snapshot',
} as const;

const unheardOfText = 'not found: nothing in the log or in a snapshot tells of it. It is gone with all that told of it, or it is written in another way';

/** As an id that was misspelt. */
function isUnheardOf(report: ItemReport): boolean {
  return standingOf(report) === 'gone' && report.records.length === 0 && report.tombstones.length === 0;
}

/** Results name the item and hold none of its bytes. */
function standingOf({ live, records, snapshots, strays }: ItemReport): keyof typeof standingText {
  if (live.length > 0) return 'live';
  const isKept = records.some(({ holds }) => holds === 'input' || holds === 'vector' || holds === 'dead-letter') || snapshots.some(({ items }) => items !== undefined);
  if (isKept) return 'kept';
  return snapshots.length > 0 || strays.length > 0 || records.some(({ holds }) => holds === 'unreadable') ? 'unknown' : 'gone';
}

function strayCondition(name: string): string {
  return name.endsWith('.temporary') ? 'the next snapshot of the partition is written, if features still have this life; otherwise until you remove it' : 'you remove it';
}

/** As the state stores name it, below their directory or prefix. */
function snapshotName({ incarnation, partition, sequence }: SnapshotPlace): string {
  return `cluster/features-${incarnation}/${partition}/${String(sequence).padStart(20, '0')}.snapshot`;
}
