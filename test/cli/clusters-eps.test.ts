// `clusters eps` of collections with nothing, one item, duplicates alone, and more in them; beside a live `run` and without one.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { TextEvent } from '../../src/core/events.generated.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, objects, succeed, textsConfiguration, withLog, withRun, writeEncoder } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 480_000 });

/** As `publish text` does, without a process. */
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

test('from nothing to several clusters', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    const eps = ['clusters', 'eps', '--collection', 'texts', '-c', file] as const;
    const add = async (texts: Readonly<Record<string, string>>): Promise<void> => {
      await publish(file, texts);
      await succeed('run', '-c', file, '--until-idle');
    };
    const refused = async (...parameters: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runProgram(...parameters);
      expect([code, stdout]).toEqual([1, '']);
      return stderr;
    };
    await makeLog(file);
    expect(await refused(...eps)).toContain('the collection "texts" holds no items, so there is nothing to choose eps by; with items there are: none. What is not processed yet is in none: `labelstream lag` tells [LS_CLI_NOT_FOUND]');

    await add({ r1: 'river' });
    expect(await objects(...eps)).toMatchObject([{ collection: 'texts', itemCount: 1, sampleSize: 1, suggestion: null, knee: null, table: [{ eps: 0.05, clusterCount: 0, noiseShare: 1 }], curve: [] }]);

    await add({ r2: 'river', r3: 'river', r4: 'river' });
    expect(await objects(...eps)).toMatchObject([{ sampleSize: 4, distinctCount: 1, suggestion: null, table: [{ eps: 0.05, clusterCount: 1, noiseShare: 0, largestShare: 1, meanDegree: 3 }] }]);

    await add({ m1: 'mountain', m2: 'mountain', m3: 'mountain', lone: 'umbrella', mixed: 'river river river mountain' });
    const page = join(directory, 'eps.html');
    const [report] = await objects(...eps, '--html', page);
    expect(report).toMatchObject({ family: 'texts', metric: 'cosine', minPoints: 3, eps: 0.05, itemCount: 9, sampleSize: 9, distinctCount: 4, heldAt: expect.any(Array) as unknown });
    const table = report?.['table'] as { eps: number; clusterCount: number }[];
    // What the engine has now, by its own list.
    expect(table.find((row) => row.eps === 0.05)).toMatchObject({ clusterCount: (await objects('clusters', 'list', '-c', file)).length });
    expect(await readFile(page, 'utf8')).toContain('<h1>texts</h1>');
    expect(await objects(...eps, '--min-points', '1', '--sample', '4')).toMatchObject([{ minPoints: 1, itemCount: 9, sampleSize: 4, tableEnd: null }]);
    const sampled = await succeed(...eps, '--sample', '4');
    expect(sampled.stdout).toContain('texts: 4 of 9 items, ');
    expect(sampled.stderr).toContain('a sample of 4 of 9 items is thinner than they are');

    expect(await refused('clusters', 'eps', '--collection', 'other', '-c', file)).toContain('there is no collection "other" with items in it; there are: texts [LS_CLI_NOT_FOUND]');
    const unwritable = await runProgram(...eps, '--html', join(directory, 'no-folder', 'eps.html'));
    expect([unwritable.code, unwritable.stdout]).toEqual([1, expect.stringContaining('texts: 9 items')]);
    expect(unwritable.stderr).toContain('[LS_CLI_FILE_UNWRITABLE]');
    const wrong = await runProgram(...eps, '--sample', '0');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('It is a whole number from 1.')]);

    await withRun(file, async () => {
      expect(await objects(...eps)).toMatchObject([{ itemCount: 9, table }]);
    });
  });
});
