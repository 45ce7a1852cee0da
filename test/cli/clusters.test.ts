// `clusters` and `forget`, on texts whose places are known: equal texts have equal vectors, mixtures of two lie between them.
import { expect, test, vi } from 'vitest';
import { jsonLines, runProgram, startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { objects, succeed, textsConfiguration, topicContents, withRun, writeEncoder, writeTexts } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const publish = async (directory: string, file: string, texts: Readonly<Record<string, string | null>>): Promise<void> => {
  await succeed('publish', 'text', await writeTexts(directory, 'texts.jsonl', texts), '--id-column', 'id', '--source', 's', '-c', file);
};

/** From one word to the other in small steps. */
const bridge = Object.fromEntries(
  Array.from({ length: 19 }, (_, step) => [`m${step + 1}`, [...Array.from({ length: 19 - step }, () => 'river'), ...Array.from({ length: step + 1 }, () => 'mountain')].join(' ')]),
);

test('list, show, label, a merge, and forget', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    expect(await objects('clusters', 'list', '-c', file)).toEqual([]);
    await publish(directory, file, { r1: 'river', r2: 'river', r3: 'river', r4: 'river', m1: 'mountain', m2: 'mountain', m3: 'mountain', lone: 'umbrella' });
    await succeed('run', '-c', file, '--until-idle');

    const listed = await objects('clusters', 'list', '-c', file);
    expect(listed).toMatchObject([
      { id: expect.any(String) as string, size: 4, name: null, collection: 'texts', samples: expect.arrayContaining([{ itemId: 's/r1', role: 'core', preview: 'river' }]) as object },
      { id: expect.any(String) as string, size: 3, name: null },
    ]);
    const [river, mountain] = listed.map(({ id }) => id as string) as [string, string];
    const table = await succeed('clusters', 'list', '-c', file);
    expect(table.stdout).toMatch(new RegExp(`^COLLECTION +ID +SIZE +NAME +SAMPLES\\ntexts +${river} +4 +river \\| river\\n`));
    expect(table.stderr).toContain('texts: 8 items, 2 clusters, 1 noise');

    expect((await succeed('clusters', 'label', river, 'The', 'rivers', '-c', file)).stdout).toBe(`${river} is called "The rivers"\n`);
    expect(await objects('clusters', 'list', '-c', file)).toMatchObject([{ id: river, name: 'The rivers' }, { id: mountain, name: null }]);
    const unknown = await runProgram('clusters', 'label', 'ffffffffffffffff', 'x', '-c', file);
    expect([unknown.code, unknown.stdout]).toEqual([1, '']);
    expect(unknown.stderr).toContain('"ffffffffffffffff" is neither a living cluster nor an item of one [LS_CLI_NOT_FOUND]');
    expect(await objects('clusters', 'show', 's/lone', '-c', file)).toMatchObject([{ itemId: 's/lone', role: 'noise', clusterId: null }]);
    expect((await runProgram('clusters', 'show', 's/none', '-c', file)).code).toBe(1);

    await publish(directory, file, Object.fromEntries(Object.entries(bridge).map(([id, text]) => [`b-${id}`, text])));
    await succeed('run', '-c', file, '--until-idle');
    const merged = await objects('clusters', 'list', '-c', file);
    expect(merged).toMatchObject([{ size: 7 + 19 }]);
    const survivor = merged[0]?.['id'];
    const retired = survivor === river ? mountain : river;
    expect([river, mountain]).toContain(survivor);
    expect(await objects('clusters', 'show', retired, '-c', file)).toMatchObject([{ id: survivor, size: 26 }]);
    expect((await succeed('clusters', 'show', retired, '-c', file)).stdout).toContain(`${retired} was merged into ${String(survivor)}\n`);

    await succeed('forget', 's/r1', 's/lone', '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    const [cluster] = await objects('clusters', 'show', String(survivor), '-c', file);
    expect(cluster).toMatchObject({ size: 25 });
    expect((cluster?.['members'] as { itemId: string }[]).map(({ itemId }) => itemId)).not.toContain('s/r1');
    expect((await runProgram('clusters', 'show', 's/lone', '-c', file)).code).toBe(1);
    const removed = (await topicContents(file, 'labels')).filter(({ value }) => JSON.stringify(value).includes('"role":"removed"'));
    expect(removed.map(({ value }) => (value as { itemId: string }).itemId).sort()).toEqual(['s/lone', 's/r1']);

    await publish(directory, file, { r1: 'river' });
    await succeed('run', '-c', file, '--until-idle');
    expect(await objects('clusters', 'show', 's/r1', '-c', file)).toMatchObject([{ itemId: 's/r1', clusterId: survivor }]);
  });
});

test('forget says where the vectors still are', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, textsConfiguration().replace('encoder: { directory: encoder }', 'encoder: { directory: MODELS/none }'));
    const [said] = await objects('forget', 's/a', 's/b', '-c', file);
    expect(said).toMatchObject({ forgotten: ['s/a', 's/b'], stillIn: [{ place: expect.stringContaining('features') as string }, {}] });
    expect((await succeed('forget', 's/a', '-c', file)).stdout).toMatch(/^forget sent for 1 item; 0 of them in a collection now\n {2}still in the topics in .*: text\.events, /);
  });
});

test('items expire by ticks while a run is idle', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration('eps: 0.05, minPoints: 3, window: { ageMsMax: 3000 }'));
    await withRun(file, async () => {
      await publish(directory, file, { a: 'river', b: 'river', c: 'river' });
      // Follows until the event is there: its absence is what would time the test out.
      const events = await eventsUntil(file, 'dissolved');
      expect(events.map(({ type }) => type)).toEqual(['emerged', 'dissolved']);
      expect(events[1]).toMatchObject({ retired: events[0]?.minted, cause: 'tick' });
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
