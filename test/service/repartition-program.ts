/** `topics repartition` by the real program, killed on its way: the same on the embedded log and on Kafka. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { createClusterResolver } from '../../src/clustering/alias-resolver.ts';
import { clustersOf } from '../../src/clusters-of.ts';
import { topics } from '../../src/core/topics.ts';
import { requireNoPlan } from '../../src/stages/cluster/repartition-plan.ts';
import { objects, succeed, withLog, writeEncoder } from '../cli/fixtures.ts';
import { appendTexts, recordsIn } from '../cli/log-access.ts';
import { runProgram, startProgram, writeConfiguration } from './program.ts';

const families = ['a', 'b', 'c', 'd'] as const;
const words = ['oak', 'elm', 'fir'] as const;
const never = new AbortController().signal;

/** Every text goes into each of several families. @param transport as YAML, without braces. */
export async function writeFamilies(directory: string, transport: string): Promise<string> {
  await writeEncoder(directory);
  const steps = families.map((name) => `{ name: ${name}, task: text-features, model: encoder, collection: ${name} }`);
  return writeConfiguration(
    directory,
    `
dataDirectory: data
server: { enabled: false }
transport: { ${transport} }
models: { encoder: { directory: encoder } }
routes: [{ name: texts, from: text, steps: [${steps.join(', ')}] }]
collections: [${families.map((name) => `{ name: ${name}, eps: 0.05, minPoints: 3 }`).join(', ')}]
`,
  );
}

const idsOf = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `i${index}`);
const textsOf = (ids: readonly string[]): Record<string, string> => Object.fromEntries(ids.map((id, index) => [id, words[index % words.length]!]));
const countSet = (count: number): readonly string[] => ['--set', `transport.featuresPartitionCount=${count}`];

/** In the file, for all that follows. */
async function setCount(file: string, count: number): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/, featuresPartitionCount: \d+|(?<= partitionCount: 1)(?=,| )/, `, featuresPartitionCount: ${count}`));
}

async function clusters(file: string): Promise<readonly string[]> {
  const listed = await objects('clusters', 'list', '-c', file);
  return listed.map((cluster) => `${String(cluster['collection'])} ${String(cluster['id'] ?? cluster['clusterId'])} ${String(cluster['size'])}`).sort();
}

/** What consumers make of everything that was told, against the clusters themselves. */
async function expectResolved(file: string, ids: readonly string[]): Promise<void> {
  const resolver = createClusterResolver();
  const [labels, events] = [await recordsIn(file, topics.labels), await recordsIn(file, topics.clusterEvents)];
  await withLog(file, async (access) => {
    for (const { value } of labels) resolver.applyLabel(access.codec.decodeAs('LabelEvent', value));
    for (const { value } of events) resolver.applyClusterEvent(access.codec.decodeAs('ClusterEvent', value));
    const view = await clustersOf(access, never);
    for (const id of ids) {
      const places = view.item(`s/${id}`).value;
      for (const { family, clusterId } of places) expect(resolver.clusterOf(`s/${id}`, family), `${id} in ${family}`).toBe(clusterId);
      for (const family of families) if (!places.some((place) => place.family === family)) expect(resolver.clusterOf(`s/${id}`, family)).toBeUndefined();
    }
  });
}

async function isNoted(file: string): Promise<boolean> {
  const state = join(dirname(file), 'data', 'state');
  const names = await readdir(state, { recursive: true }).catch(() => []);
  return names.some((name) => name.includes('repartition-') && name.endsWith('.snapshot'));
}

/** Kills the program some time after it has noted what it is about to do, again and again; then it is let through. */
async function repartitionKilled(file: string, count: number, delaysMs: readonly number[]): Promise<{ readonly interrupted: number }> {
  let interrupted = 0;
  for (const delayMs of delaysMs) {
    const program = startProgram(['topics', 'repartition', '--one-host', '-c', file, ...countSet(count)]);
    const ended = new AbortController();
    void program.finished.then(() => ended.abort());
    while (!ended.signal.aborted && !(await isNoted(file))) await sleep(1);
    await sleep(delayMs);
    program.kill('SIGKILL');
    await program.finished;
    if (!(await isNoted(file))) continue;
    interrupted += 1;
    const refused = await runProgram('run', '-c', file, '--until-idle', ...countSet(count));
    expect([refused.code, refused.stderr]).toEqual([expect.any(Number), expect.stringMatching(/LS_STATE_REPARTITION_PENDING[\s\S]*topics repartition/) as string]);
    expect(refused.code).not.toBe(0);
  }
  await succeed('topics', 'repartition', '--one-host', '-c', file, ...countSet(count));
  return { interrupted };
}

export type RepartitionScenario = {
  readonly file: string;
  /** How long after the note it is killed. */
  readonly delaysMs: readonly number[];
  readonly between?: () => Promise<void>;
};

/** 1 partition, 3, then 2. */
export async function repartitionUpAndDown({ file, delaysMs, between }: RepartitionScenario): Promise<{ readonly interrupted: number }> {
  const ids = idsOf(30);
  await succeed('topics', 'create', '-c', file);
  await appendTexts(file, textsOf(ids));
  await succeed('run', '-c', file, '--until-idle');
  const before = await clusters(file);
  expect(before).toHaveLength(families.length * words.length);

  const stopped = await runProgram('run', '-c', file, '--until-idle', ...countSet(3));
  expect([stopped.code, stopped.stderr]).toEqual([78, expect.stringMatching(/LS_TRANSPORT_PARTITION_COUNT[\s\S]*topics repartition/) as string]);
  await appendTexts(file, { i0: 'elm' });
  const unread = await runProgram('topics', 'repartition', '--one-host', '-c', file, ...countSet(3));
  expect([unread.code, unread.stderr]).toEqual([expect.any(Number), expect.stringMatching(/partition 0 of text[.]events \(labelstream-extract\): 1[.] \[LS_STATE_REPARTITION_UNREAD\][\s\S]*run --until-idle/) as string]);
  await appendTexts(file, { i0: 'oak' });
  await succeed('run', '-c', file, '--until-idle');
  const [outlook] = await objects('topics', 'repartition', '--one-host', '-c', file, '--dry-run', ...countSet(3));
  expect(outlook).toMatchObject({ from: 1, to: 3, unread: [], pending: false, dryRun: true });

  const { interrupted } = await repartitionKilled(file, 3, delaysMs);
  await setCount(file, 3);
  expect(await clusters(file)).toEqual(before);
  await between?.();
  expect((await succeed('topics', 'repartition', '--one-host', '-c', file)).stdout).toContain('already');
  // New texts of items that there are, new items, and one that is gone.
  const more = idsOf(40);
  await appendTexts(file, { i0: 'elm', ...textsOf(more.slice(30)) });
  await succeed('forget', 's/i1', '-c', file);
  await succeed('run', '-c', file, '--until-idle');
  await expectResolved(file, more);
  const grown = await clusters(file);
  const idsIn = (listed: readonly string[]): readonly string[] => listed.map((text) => text.split(' ').slice(0, 2).join(' ')).sort();
  expect(idsIn(grown)).toEqual(idsIn(before));

  await setCount(file, 2);
  await succeed('topics', 'repartition', '--one-host', '-c', file);
  expect(await clusters(file)).toEqual(grown);
  // A cluster whose items all move to another one's text is dissolved; what is told of it consumers make the same of.
  await appendTexts(file, Object.fromEntries(more.filter((_, index) => index % 3 === 2).map((id) => [id, 'oak'])));
  await succeed('run', '-c', file, '--until-idle');
  await expectResolved(file, more);
  expect(await clusters(file)).toHaveLength(families.length * 2);
  await withLog(file, (access) => requireNoPlan(access.stateStore, `${access.configuration.group}-cluster`));
  return { interrupted };
}
