/** The report on one item, for people and for programs. */
import type { ClusterView } from '../../stages/cluster/view.ts';
import type { RecordPlace } from './find-records.ts';

export type SnapshotPlace = {
  readonly partition: number;
  readonly incarnation: string;
  readonly sequence: bigint;
  /** Undefined: it cannot be read, so any of them may be in it. */
  readonly items: ReadonlySet<string> | undefined;
};

type Until = { readonly latest: string | null; readonly condition: string };

export type ItemReport = {
  readonly item: string;
  readonly live: ReturnType<ClusterView['item']>['value'];
  readonly tombstones: ReturnType<ClusterView['tombstones']>['value'];
  readonly records: readonly (RecordPlace & { readonly until: Until })[];
  readonly snapshots: readonly SnapshotPlace[];
};

const holdsText = { input: 'its input', vector: 'its vector', 'dead-letter': 'a dead letter of it', result: 'its results, not its bytes' } as const;
const snapshotCondition = 'three newer snapshots of the partition are written, which takes new records in it';

export function reportLines(report: ItemReport): readonly string[] {
  const { item, live, tombstones, records, snapshots } = report;
  const lines = [`${item}: ${isGone(report) ? 'gone: neither its input nor its vector is anywhere' : live.length > 0 ? 'live' : 'not live, and not gone yet'}`];
  for (const { collection, clusterId } of live) lines.push(`  live in collection ${collection}${clusterId === null ? '' : `, cluster ${clusterId}`}, until it is forgotten or deleted`);
  for (const { topic, partition, holds, records: count, firstSequence, lastSequence, until } of records) {
    const sequences = firstSequence === lastSequence ? `sequence ${firstSequence}` : `${count} records, the last with sequence ${lastSequence}`;
    lines.push(`  ${topic} partition ${partition}, ${sequences}: ${holdsText[holds]}; until ${until.condition}${until.latest === null ? '' : `, by ${until.latest} at the latest while \`run\` works`}`);
  }
  for (const snapshot of snapshots) lines.push(`  snapshot ${snapshotName(snapshot)}: ${snapshot.items === undefined ? 'cannot be read, so it may hold its vector' : 'its vector'}; until ${snapshotCondition}`);
  if (tombstones.length === 0) lines.push('  no tombstone: it was not forgotten or deleted, or that is not carried out yet, or its time is over');
  for (const { partition, family, setAtMs, untilMs } of tombstones) {
    lines.push(`  tombstone in features partition ${partition}${family === null ? '' : ` for ${family}`} of ${new Date(setAtMs).toISOString()}, ${untilMs === null ? 'for ever' : `until ${new Date(untilMs).toISOString()}`}`);
  }
  return lines;
}

export function reportObject(report: ItemReport): object {
  const { item, live, tombstones, records, snapshots } = report;
  return {
    item,
    gone: isGone(report),
    live: live.map(({ family, collection, clusterId }) => ({ family, collection, clusterId })),
    records: records.map(({ topic, partition, holds, records: count, firstSequence, lastSequence, lastAppendTimeMs, until }) => ({
      topic, partition, holds, records: count, firstSequence, lastSequence, lastAppendTime: new Date(lastAppendTimeMs).toISOString(), until,
    })),
    snapshots: snapshots.map((snapshot) => ({
      name: snapshotName(snapshot), partition: snapshot.partition, sequence: snapshot.sequence, readable: snapshot.items !== undefined, until: { latest: null, condition: snapshotCondition },
    })),
    tombstones: tombstones.map(({ partition, family, setAtMs, untilMs }) => ({
      partition, family, setAt: new Date(setAtMs).toISOString(), until: untilMs === null ? null : new Date(untilMs).toISOString(),
    })),
  };
}

/** Results name the item and hold none of its bytes. */
function isGone({ live, records, snapshots }: ItemReport): boolean {
  return live.length === 0 && snapshots.length === 0 && records.every(({ holds }) => holds === 'result');
}

/** As the state stores name it, below their directory or prefix. */
function snapshotName({ incarnation, partition, sequence }: SnapshotPlace): string {
  return `cluster/features-${incarnation}/${partition}/${String(sequence).padStart(20, '0')}.snapshot`;
}
