// A features log that has lost its beginning, and with it the state: `run --rebuild-from-truncated-log` goes on with what is left, and says so to consumers
// (SEMANTICS.md, rule 17).
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createClusterResolver, type ClusterResolver } from '../../src/clustering/alias-resolver.ts';
import { clustersOf } from '../../src/clusters-of.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { topics } from '../../src/core/topics.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { rebuildTruncatedLogs, truncatedLogsOf } from '../../src/rebuild-truncated-log.ts';
import { createClusterStage } from '../../src/stages/cluster/cluster-stage.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { succeed, textsConfiguration, withLog, writeEncoder } from '../cli/fixtures.ts';
import { appendTexts, recordsIn } from '../cli/log-access.ts';
import { copied } from '../conformance/state-store-conformance.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

const partitionCount = 2;
const features = { topic: topics.features, partition: partitionForKey('texts', partitionCount) };
const settings = `${textsConfiguration('eps: 0.02, minPoints: 2')}
cluster: { snapshotRecords: 10 }
transport: { kind: log, partitionCount: ${partitionCount}, segmentBytes: 4096, retention: { checkIntervalMs: 10, topics: { features: { bytes: 4096 } } } }
`;
const never = new AbortController().signal;
const words = ['oak', 'elm', 'fir', 'ash'];
const textsOf = (prefix: string, count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, index % 7 === 0 ? `${words[index % 4]!} ${'x'.repeat(index % 5)}` : words[index % 4]!]));

/** Retention looks every 10 ms, and a run may end before it looks at what the run wrote. */
async function runUntilTruncated(file: string): Promise<void> {
  const isTruncated = (): Promise<boolean> => withLog(file, async ({ transport }) => (await transport.bounds(features)).start.sequence > 0n);
  for (let runs = 0; runs === 0 || !(await isTruncated()); runs++) {
    expect(runs).toBeLessThan(20);
    await succeed('run', '-c', file, '--until-idle');
  }
}

/** What a consumer does that has read everything there is, the first of its rounds included. */
async function follow(file: string, resolver: ClusterResolver): Promise<void> {
  for (const topic of [topics.labels, topics.clusterEvents]) {
    const records = await recordsIn(file, topic);
    await withLog(file, ({ codec }) => {
      for (const { value } of records) {
        if (topic === topics.labels) resolver.applyLabel(codec.decodeAs('LabelEvent', value));
        else resolver.applyClusterEvent(codec.decodeAs('ClusterEvent', value));
      }
      return Promise.resolve();
    });
  }
}

/** Item -> cluster, of these items, from the clusters themselves. */
function placesOf(file: string, itemIds: readonly string[]): Promise<Readonly<Record<string, string | null>>> {
  return withLog(file, async (access) => {
    const view = await clustersOf(access, never);
    return Object.fromEntries(itemIds.flatMap((id) => view.item(id).value.map(({ clusterId }) => [id, clusterId])));
  });
}

function tableOf(resolver: ClusterResolver): Readonly<Record<string, string | null>> {
  return Object.fromEntries(resolver.items().map(({ itemId, clusterId }) => [itemId, clusterId]));
}

/** Of one epoch, in the order of the topics' partitions. */
async function toldUnder(file: string, epoch: number): Promise<readonly string[]> {
  const [labels, clusterEvents] = [await recordsIn(file, topics.labels), await recordsIn(file, topics.clusterEvents)];
  return withLog(file, ({ codec }) => {
    const assigned = labels.filter(({ value }) => codec.decodeAs('LabelEvent', value).revision.epoch === epoch);
    const changed = clusterEvents.filter(({ value }) => codec.decodeAs('ClusterEvent', value).epoch === epoch);
    return Promise.resolve([...assigned, ...changed].map(({ topic, partition, value }) => `${topic} ${partition} ${value.toString('hex')}`));
  });
}

/** The first snapshot of the new epoch, in which nothing is folded. */
async function beginAnew(file: string): Promise<Buffer> {
  const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [...tasks.values()] });
  await rebuildTruncatedLogs(configuration!, await createProcessContext(pino({ level: 'silent' })), never);
  return withLog(file, async ({ stateStore, transport }) => {
    const { incarnation } = await transport.describeTopic(topics.features);
    const first = await stateStore.readNewest({ stage: 'cluster', incarnation, ...features }, 2n ** 60n, copied);
    const { start } = await transport.bounds(features);
    expect(first!.header).toMatchObject({ sequence: start.sequence - 1n, position: start.position });
    return Buffer.concat(first!.chunks);
  });
}

/** What CLUSTER makes of a snapshot and all records kept. */
async function offline(file: string, snapshot: Buffer): Promise<readonly string[]> {
  const kept = (await recordsIn(file, topics.features)).filter(({ partition }) => partition === features.partition);
  return withLog(file, async ({ codec, transport }) => {
    const { incarnation } = await transport.describeTopic(topics.features);
    const counts = { labels: partitionCount, clusterEvents: partitionCount, deadLetters: partitionCount };
    const partition = createClusterStage({ codec, partitionCounts: counts }).open({ incarnation, ...features });
    await partition.restore((async function* () { yield await Promise.resolve(snapshot); })());
    const outputs = (await partition.fold(kept)).flat();
    const inOrder = [topics.labels, topics.clusterEvents].flatMap((topic) =>
      Array.from({ length: partitionCount }, (_, number) => outputs.filter((output) => output.topic === topic && output.partition === number)).flat(),
    );
    expect(inOrder).toHaveLength(outputs.length);
    return inOrder.map(({ topic, partition: number, value }) => `${topic} ${number} ${value.toString('hex')}`);
  });
}

test('goes on under a new epoch, which consumers are told of; any stop on the way is harmless', { timeout: 240_000 }, async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, settings);
    const old = textsOf('a', 120);
    await appendTexts(file, old);
    await runUntilTruncated(file);
    const resolver = createClusterResolver();
    await follow(file, resolver);
    const oldIds = Object.keys(old).map((id) => `s/${id}`);
    const before = await placesOf(file, oldIds);
    expect(tableOf(resolver)).toEqual(before);
    expect(Object.keys(before)).toHaveLength(120);
    expect((await succeed('run', '-c', file, '--rebuild-from-truncated-log', '--dry-run')).stdout).toContain('no features log is truncated');

    await rm(join(directory, 'data', 'state'), { recursive: true });
    const stopped = await runProgram('run', '-c', file, '--until-idle');
    expect([stopped.code, stopped.stderr]).toEqual([1, expect.stringMatching(/LS_STATE_LOG_TRUNCATED[\s\S]*--rebuild-from-truncated-log/) as string]);
    const told = await withLog(file, (access) => truncatedLogsOf(access, never));
    expect(told).toMatchObject([{ partition: features, snapshotSequence: undefined, resets: [{ family: 'texts', collection: 'texts' }] }]);
    const { epoch, start, recordsKept } = told[0]!;
    expect(epoch).toBe(Number(start.sequence) + 1);
    expect(recordsKept).toBeGreaterThan(5n);
    const look = await succeed('run', '-c', file, '--rebuild-from-truncated-log', '--dry-run');
    expect(look.stdout).toBe(
      `partition ${features.partition} of features begins at ${start.sequence}, and no snapshot can be read: would begin anew under epoch ${epoch}, with ${recordsKept} records\n  reset of texts\n`,
    );
    expect((await runProgram('run', '-c', file, '--until-idle')).code).toBe(1);

    // The same log twice: once in one go, once stopped between the first snapshot and the first record.
    const elsewhere = join(directory, 'elsewhere');
    await mkdir(elsewhere);
    await writeEncoder(elsewhere);
    const stopping = await writeConfiguration(elsewhere, settings);
    await cp(join(directory, 'data'), join(elsewhere, 'data'), { recursive: true });
    const snapshot = await beginAnew(stopping);
    await succeed('run', '-c', stopping, '--until-idle');
    const goneOn = await succeed('run', '-c', file, '--until-idle', '--rebuild-from-truncated-log');
    expect(goneOn.stderr).toContain('a features log begins anew, without what it lost');
    const expected = await offline(file, snapshot);
    expect(await toldUnder(file, epoch)).toEqual(expected);
    expect(await toldUnder(stopping, epoch)).toEqual(expected);

    await follow(file, resolver);
    const left = await placesOf(file, oldIds);
    expect(tableOf(resolver)).toEqual(left);
    expect(Object.keys(left).length).toBeGreaterThan(0);
    expect(Object.keys(left).length).toBeLessThan(120);
    expect(Object.values(left).some((clusterId) => clusterId !== null)).toBe(true);
    expect(Object.values(left).filter((clusterId) => clusterId !== null && Object.values(before).includes(clusterId))).toEqual([]);

    // Life goes on, with the option and without it.
    await appendTexts(file, textsOf('b', 8));
    const again = await succeed('run', '-c', file, '--until-idle', '--rebuild-from-truncated-log');
    expect(again.stderr).toContain('nothing is rebuilt');
    await appendTexts(file, textsOf('c', 8));
    await succeed('run', '-c', file, '--until-idle');
    await follow(file, resolver);
    const all = [...oldIds, ...[...Object.keys(textsOf('b', 8)), ...Object.keys(textsOf('c', 8))].map((id) => `s/${id}`)];
    expect(tableOf(resolver)).toEqual(await placesOf(file, all));
    expect(Object.keys(tableOf(resolver))).toHaveLength(Object.keys(left).length + 16);
  });
});

test('--dry-run alone is refused', async () => {
  await withDirectory(async (directory) => {
    const refused = await runProgram('run', '-c', await writeConfiguration(directory, settings), '--dry-run');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--rebuild-from-truncated-log') as string]);
  });
});
