// `erasure report` on a real log: after a forget it names every place, and when retention and newer snapshots removed them it says so.
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { FeatureEvent } from '../../src/core/events.generated.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { objects, succeed, textsConfiguration, withLog, withRun, writeEncoder } from './fixtures.ts';
import { appendTexts } from './log-access.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const limited = '{ kind: log, partitionCount: 1, segmentBytes: 4096, retention: { bytes: 65536 } }';
const configuration = `${textsConfiguration()}cluster: { snapshotRecords: 4 }\n`;
const others = (round: number) => Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`other-${round}-${index}`, `${round} ${'x'.repeat(300)}`]));

type Report = {
  readonly item: string; readonly gone: boolean; readonly standing: string; readonly strays: readonly { readonly name: string }[]; readonly live: object[]; readonly tombstones: object[];
  readonly records: readonly { readonly topic: string; readonly holds: string }[]; readonly snapshots: readonly { readonly name: string; readonly readable: boolean }[];
};

async function report(file: string, ...items: readonly string[]): Promise<readonly Report[]> {
  return (await objects('erasure', 'report', '-c', file, ...items.flatMap((item) => ['--item', item]))) as Report[];
}

/** The news of EXTRACT that an item was deleted. */
const deletion = (itemId: string): FeatureEvent => ({
  id: itemId, itemId, inputId: itemId, origin: { topic: topics.text, incarnation: 'i', partition: 0, sequence: 0n, appendTime: 0 }, read: { incarnation: 'i', partition: 0, sequence: 0n, index: 0 }, routeStep: 'r/s',
  family: 'texts', collection: '', model: 'm', modelVersion: '1', vector: Buffer.alloc(0), dimensions: 0, occurredAt: 0, preview: null, attributes: {}, deleted: true,
});

const places = ({ records }: Report): readonly string[] => records.filter(({ holds }) => holds !== 'name').map(({ topic, holds }) => `${topic} ${holds}`);

test('names each place of a forgotten item, and says that it is gone when it is', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, `${configuration}transport: { partitionCount: 1, segmentBytes: 4096 }\n`);
    await appendTexts(file, { a: 'one text', b: 'one text', c: 'one text', d: 'another', e: 'another', '': 'no id, a dead letter' });
    await succeed('run', '-c', file, '--until-idle');

    const [live, unknown] = await report(file, 's/a', 's/nobody');
    expect(live).toMatchObject({ item: 's/a', gone: false, live: [{ family: 'texts', collection: 'texts' }], tombstones: [] });
    expect(places(live!)).toEqual([`${topics.text} input`, `${topics.features} vector`, `${topics.labels} result`]);
    expect(live!.records[0]).toMatchObject({ partition: 0, records: 1, firstSequence: 0, lastSequence: 0, until: { latest: null, condition: expect.stringContaining('transport.retention has a limit') as string } });
    expect(live!.snapshots).not.toHaveLength(0);
    expect(unknown).toMatchObject({ gone: true, live: [], records: [], snapshots: [], tombstones: [] });

    expect((await succeed('erasure', 'report', '--item', 's/nobody', '-c', file)).stdout).toMatch(/^s\/nobody: not found: nothing in the log or in a snapshot tells of it/);
    const forgotten = await succeed('forget', 's/a', '-c', file);
    expect(forgotten.stdout).toContain('until retention removes it (text.events, features, dead-letters: no limit by age is known)');
    expect(forgotten.stderr).toContain(`labelstream erasure report --item s/a -c ${file}`);
    await withRun(file, async () => {
      // Beside a live run, once it has carried it out; its absence is what times the test out.
      let [told] = await report(file, 's/a');
      while (told!.live.length > 0) [told] = await report(file, 's/a');
      expect(told).toMatchObject({ gone: false, live: [], tombstones: [{ partition: 0, family: null, until: null }] });
      expect(places(told!)).toEqual(places(live!));
    });
    const said = (await succeed('erasure', 'report', '--item', 's/a', '-c', file)).stdout;
    expect(said).toMatch(/^s\/a: not live, and not gone yet\n {2}text\.events partition 0, sequence 0: its input; until transport\.retention has a limit/);
    expect(said).toMatch(/\n {2}snapshot cluster\/features-[^/]+\/0\/\d{20}\.snapshot: its vector; until three newer/);
    expect(said).toMatch(/\n {2}tombstone in features partition 0 of \S+, for ever\n$/);

    // Retention, and newer records and snapshots.
    for (let round = 0; round < 3; round += 1) {
      await appendTexts(file, others(round));
      await succeed('run', '-c', file, '--until-idle');
    }
    await succeed('run', '-c', file, '--until-idle', '--set', 'transport.retention.bytes=8192');
    const [gone] = await report(file, 's/a');
    expect(gone).toMatchObject({ gone: true, live: [], snapshots: [], tombstones: [{ partition: 0 }] });
    expect(places(gone!).filter((place) => !place.endsWith('result'))).toEqual([]);
    expect((await succeed('erasure', 'report', '--item', 's/a', '-c', file)).stdout).toMatch(/^s\/a: gone: neither its input nor its vector is in the log or in a snapshot\n/);
    // The clusters came through it: the features that they rest on were not removed before a snapshot had them.
    expect((await objects('clusters', 'show', 's/b', '-c', file))[0]).toMatchObject({ itemId: 's/b' });
  });
});

test('finds dead letters, and what was redriven and replayed; tells of a snapshot that cannot be read', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const text = `${configuration.replace('from: text,', 'from: text, where: { source: s, language: en },')}transport: ${limited}\n`;
    const file = await writeConfiguration(directory, text);
    await appendTexts(file, { a: { text: 'no route takes it' }, b: { text: 'taken', language: 'en' }, c: { text: 'taken', language: 'en' }, d: { text: 'taken', language: 'en' } });
    await succeed('run', '-c', file, '--until-idle');
    await succeed('dlq', 'redrive', '--all', '-c', file);
    await succeed('replay', '--from', '0', '--topic', 'text.events', '-c', file);
    const [found] = await report(file, 's/a');
    expect(places(found!)).toEqual([`${topics.text} input`, `${topics.redrive} input`, `${topics.replay} input`, `${topics.deadLetters} dead-letter`]);
    expect(found!.records[0]).toMatchObject({ until: { latest: null, condition: '`run` removes it, when 65536 bytes came after it in its partition' } });

    const folder = join(directory, 'data/state/cluster');
    const [topic] = await readdir(folder);
    const [snapshot] = await readdir(join(folder, topic!, '0'));
    await truncate(join(folder, topic!, '0', snapshot!), 100);
    const [doubtful] = await report(file, 's/a');
    expect(doubtful!.snapshots).toMatchObject([{ name: `cluster/${topic!}/0/${snapshot!}`, readable: false }]);
    expect(doubtful!.gone).toBe(false);
  });
});

test('does not say gone where a deletion tells more than the name, nor where something cannot be read', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, 'dataDirectory: data\ntransport: { partitionCount: 1 }\nserver: { enabled: false }\n');
    await appendTexts(file, {
      'bare-1': { deleted: true }, 'worded-1': { deleted: true, text: 'what it said' }, 'tagged-1': { deleted: true, attributes: { author: 'somebody' } }, 'other-1': { text: 'of something else' },
    });
    await withLog(file, ({ transport, codec }) =>
      transport.append([
        { topic: topics.features, partition: 0, key: Buffer.from('texts'), value: codec.encode('FeatureEvent', deletion('s/empty-1')), headers: noHeaders },
        { topic: topics.features, partition: 0, key: Buffer.from('texts'), value: codec.encode('FeatureEvent', { ...deletion('s/shown-1'), preview: 'the start of what it said' }), headers: noHeaders },
        { topic: topics.features, partition: 0, key: Buffer.from('texts'), value: Buffer.from('\x01garbage of garbled-1\x02'), headers: noHeaders },
        { topic: topics.labels, partition: 0, key: null, value: Buffer.from('garbage'), headers: new Map([['note', Buffer.from('about s/headed-1')]]) },
      ]),
    );
    const [bare, worded, tagged, garbled, headed, empty, shown] = await report(
      file, 's/bare-1', 's/worded-1', 's/tagged-1', 's/garbled-1', 's/headed-1', 's/empty-1', 's/shown-1',
    );
    expect(bare).toMatchObject({ standing: 'gone', gone: true, records: [{ topic: topics.text, holds: 'name' }] });
    for (const told of [worded, tagged]) expect(told).toMatchObject({ standing: 'kept', gone: false, records: [{ topic: topics.text, holds: 'input' }] });
    expect(garbled).toMatchObject({ standing: 'unknown', gone: false, records: [{ topic: topics.features, holds: 'unreadable' }] });
    expect(empty).toMatchObject({ gone: true, records: [{ topic: topics.features, holds: 'name' }] });
    expect(shown).toMatchObject({ standing: 'kept', gone: false, records: [{ topic: topics.features, holds: 'vector' }] });
    expect(headed).toMatchObject({ gone: false, records: [{ topic: topics.labels, holds: 'unreadable' }] });

    const incarnation = await withLog(file, async ({ transport }) => (await transport.describeTopic(topics.features)).incarnation);
    const strays = [`cluster/features-${incarnation}/0/00000000000000000007.snapshot.1-2-3.temporary`, 'cluster/features-before/0/00000000000000000003.snapshot', `cluster/features-${incarnation}/1/00000000000000000003.snapshot`];
    for (const name of strays) {
      const path = join(directory, 'data/state', name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, 'state');
    }
    const [doubtful] = await report(file, 's/bare-1');
    expect(doubtful).toMatchObject({ standing: 'unknown', gone: false });
    expect(doubtful!.strays.map(({ name }) => name).sort()).toEqual([...strays].sort());
    const { stdout, stderr } = await succeed('erasure', 'report', '--item', 's/bare-1', '-c', file);
    expect(stdout).toMatch(/^s\/bare-1: not found, and not known to be gone/);
    expect(stdout).toContain('features-before/0/00000000000000000003.snapshot in the state store: nothing restores from it');
    expect(stderr).toContain('Not into backups');
  });
});

test('asks for items', async () => {
  const none = await runProgram('erasure', 'report', '-c', 'no.yaml');
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("required option '--item <source/id>' not specified") as string]);
  const wrong = await runProgram('erasure', 'report', '-c', 'no.yaml', '--item', 'noslash');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('"noslash" is no item') as string]);
});
