// `clusters` and `forget`, on texts whose places are known: equal texts have equal vectors, mixtures of two lie between them.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import type { TextEvent } from '../../src/core/events.generated.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { readLog } from '../crash/log-contents.ts';
import { jsonLines, runProgram, startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, objects, succeed, textsConfiguration, withLog, withRun, writeEncoder } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

/** As `publish text` does, which has tests of its own: without a process. */
const publish = (file: string, texts: Readonly<Record<string, string>>): Promise<void> =>
  withLog(file, ({ codec, partitionCountOf, transport }) =>
    transport.append(
      Object.entries(texts).map(([id, text]) => {
        const event: TextEvent = { id, source: 's', occurredAt: 1_700_000_000_000, text, language: null, collection: null, attributes: {}, tasks: [], deleted: false };
        const key = itemIdOf(event);
        return { topic: topics.text, partition: partitionForKey(key, partitionCountOf(topics.text)), key: Buffer.from(key), value: codec.encode('TextEvent', event), headers: noHeaders };
      }),
    ),
  );

/** From one word to the other in small steps. */
const bridge = Object.fromEntries(
  Array.from({ length: 19 }, (_, step) => [`m${step + 1}`, [...Array.from({ length: 19 - step }, () => 'river'), ...Array.from({ length: step + 1 }, () => 'mountain')].join(' ')]),
);

test('list, show, label, a merge, and forget', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    await publish(file, { r1: 'river', r2: 'river', r3: 'river', r4: 'river', m1: 'mountain', m2: 'mountain', m3: 'mountain', lone: 'umbrella' });
    await succeed('run', '-c', file, '--until-idle');

    const listed = await objects('clusters', 'list', '-c', file);
    expect(listed).toMatchObject([
      { id: expect.any(String) as string, size: 4, name: null, collection: 'texts', eps: 0.05, minPoints: 3, samples: expect.arrayContaining([{ itemId: 's/r1', role: 'core', preview: 'river' }]) as object },
      { id: expect.any(String) as string, size: 3, name: null },
    ]);
    const [river, mountain] = listed.map(({ id }) => id as string) as [string, string];
    expect((await succeed('clusters', 'label', river, 'The', 'rivers', '-c', file)).stdout).toBe(`${river} is called "The rivers"\n`);
    const table = await succeed('clusters', 'list', '-c', file);
    expect(table.stdout).toMatch(new RegExp(`^COLLECTION +ID +SIZE +NAME +SAMPLES\\ntexts +${river} +4 +The rivers +river \\| river.*\\ntexts +${mountain} +3 +mountain`));
    expect(table.stdout).toContain('\ntexts: 8 items, 2 clusters, 1 noise; eps 0.05, minPoints 3\n');
    const unknown = await runProgram('clusters', 'label', 'ffffffffffffffff', 'x', '-c', file);
    expect([unknown.code, unknown.stdout]).toEqual([1, '']);
    expect(unknown.stderr).toContain('"ffffffffffffffff" is no living cluster; `clusters list` has those that there are [LS_CLI_NOT_FOUND]');
    const nobody = await runProgram('clusters', 'show', 'ffffffffffffffff', '-c', file);
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('"ffffffffffffffff" is neither a living cluster nor an item that a collection holds; an item that was deleted or forgotten, that left by its window, or that is not processed yet is in none [LS_CLI_NOT_FOUND]')]);
    const nameless = await runProgram('clusters', 'label', river, '-c', file);
    expect([nameless.code, nameless.stderr]).toEqual([2, expect.stringContaining('no name is given; --remove takes the name of the cluster away')]);
    expect(await objects('clusters', 'list', '-c', file)).toMatchObject([{ name: 'The rivers' }, {}]);
    expect((await succeed('clusters', 'label', mountain, '--remove', '-c', file)).stdout).toBe(`${mountain} has no name any more\n`);
    expect(await objects('clusters', 'show', 's/lone', '-c', file)).toMatchObject([{ itemId: 's/lone', role: 'noise', clusterId: null }]);

    await publish(file, Object.fromEntries(Object.entries(bridge).map(([id, text]) => [`b-${id}`, text])));
    await succeed('run', '-c', file, '--until-idle');
    const merged = await objects('clusters', 'list', '-c', file);
    expect(merged).toMatchObject([{ size: 7 + 19 }]);
    expect((await succeed('clusters', 'list', '-c', file)).stdout).toContain('texts: 27 items, 1 cluster, 1 noise');
    const survivor = merged[0]?.['id'];
    const retired = survivor === river ? mountain : river;
    expect([river, mountain]).toContain(survivor);
    expect((await succeed('clusters', 'show', retired, '-c', file)).stdout).toContain(`${retired} was merged into ${String(survivor)}\n`);

    await succeed('forget', 's/r1', 's/lone', '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    const [cluster] = await objects('clusters', 'show', String(survivor), '-c', file);
    expect(cluster).toMatchObject({ size: 25 });
    expect((cluster?.['members'] as { itemId: string }[]).map(({ itemId }) => itemId)).not.toContain('s/r1');
    expect((await runProgram('clusters', 'show', 's/lone', '-c', file)).code).toBe(1);
    expect(await removedItems(directory)).toEqual(['s/lone', 's/r1']);

    await publish(file, { r1: 'river' });
    await succeed('run', '-c', file, '--until-idle');
    expect(await objects('clusters', 'show', 's/r1', '-c', file)).toMatchObject([{ itemId: 's/r1', clusterId: survivor }]);
  });
});

test('show says why an item is where it is, beside a live run and without one', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    const river = ['s/a', 's/b', 's/c'];
    await publish(file, { a: 'river', b: 'river', c: 'river', lone: 'umbrella' });
    await withRun(file, async () => {
      await vi.waitFor(async () => expect((await objects('clusters', 'list', '-c', file))[0]).toMatchObject({ size: 3 }), { timeout: 60_000, interval: 200 });
      const [shown] = await objects('clusters', 'show', 's/a', '-c', file);
      const { explanation } = shown as { readonly explanation: { readonly changedAt: { readonly cause: string } } };
      expect(explanation).toMatchObject({ metric: 'cosine', eps: 0.05, minPoints: 3, density: 3, nearestCore: { itemId: 's/b', distance: 0 }, neighbours: [{ itemId: 's/b', distance: 0 }, { itemId: 's/c', distance: 0 }] });
      // Whoever came last made them a cluster.
      expect(river).toContain(explanation.changedAt.cause);
    });
    const { stdout } = await succeed('clusters', 'show', 's/lone', 's/a', '-c', file);
    expect(stdout).toContain('s/lone is noise in texts: 1 item within eps 0.05 (cosine), itself counted, fewer than 3 (minPoints), and no core is among them\n  nearest of all, within eps or not: s/a (0.4065); nearest core: s/a (0.4065)\n  assigned by record ');
    expect(stdout).toMatch(/ of features: s\/lone\n/);
    expect(stdout).toMatch(/s\/a is core in texts: 3 items within eps 0\.05 \(cosine\), itself counted, and 3 \(minPoints\) make a core\n {2}nearest core: s\/b \(0\)\n {2}near it: s\/b \(0\), s\/c \(0\)\n {2}assigned by record \d+ of partition \d+ of features: s\/[abc]\n/);
    await succeed('forget', 's/c', '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    expect(await objects('clusters', 'show', 's/a', 's/b', '-c', file)).toMatchObject(
      ['s/a', 's/b'].map((itemId) => ({ itemId, role: 'noise', clusterId: null, explanation: { density: 2, nearestCore: null, changedAt: { cause: 'forget' } } })),
    );
  });
});

async function removedItems(directory: string): Promise<string[]> {
  const codec = await openCodec();
  const { records } = await readLog(join(directory, 'data'), [topics.labels]);
  const labels = (records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value));
  const removed = labels.filter(({ result }) => 'labelstream.v1.Assignment' in result && result['labelstream.v1.Assignment'].role === 'removed');
  return removed.map(({ itemId }) => itemId).sort();
}

test('forget says where the vectors still are, and names no topic that holds nothing', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    await makeLog(file);
    expect((await succeed('forget', 's/a', '-c', file)).stdout).toMatch(
      /^forget sent for 1 item; 0 of them in a collection now\n {2}what there was of them may still be in those topics in .* that it came through, of which none holds a record, until /,
    );
    await publish(file, { a: 'river' });
    await succeed('run', '-c', file, '--until-idle');
    const [said] = await objects('forget', 's/a', 's/b', '-c', file);
    const place = expect.stringMatching(/^those topics in .* that it came through, of text\.events, features$/) as string;
    expect(said).toMatchObject({ forgotten: ['s/a', 's/b'], inCollections: ['s/a'], stillIn: [{ place }, { place: expect.stringContaining('snapshots') as string }] });
  });
});

test('items expire by ticks while a run is idle', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration('eps: 0.05, minPoints: 3, window: { ageMsMax: 3000 }'));
    await withRun(file, async () => {
      await publish(file, { a: 'river', b: 'river', c: 'river' });
      // Follows until the event is there: its absence is what would time the test out.
      const events = await eventsUntil(file, 'dissolved');
      expect(events.map(({ type }) => type)).toEqual(['emerged', 'dissolved']);
      // Time goes on with the first record of the owner's own: before its first tick it claims the partition.
      expect(events[1]).toMatchObject({ retired: events[0]?.minted, cause: 'claim' });
      expect(await objects('clusters', 'list', '-c', file)).toEqual([]);
    });
  });
});

type Told = { readonly type: string; readonly minted: readonly string[]; readonly retired: readonly string[]; readonly cause: string };

async function eventsUntil(file: string, type: string): Promise<Told[]> {
  const tail = startProgram(['tail', 'cluster-events', '-c', file, '--from-start', '--json']);
  await tail.printed(`"type":"${type}"`);
  tail.kill('SIGINT');
  const { stdout } = await tail.finished;
  return jsonLines(stdout).map(({ value }) => value as Told);
}
