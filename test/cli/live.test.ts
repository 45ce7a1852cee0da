// Commands beside a live `run` on the same log directory, which reach it over its socket; and what becomes of them when it dies.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { jsonLines, repository, runProgram, startProgram, withDirectory, writeConfiguration, type RunningProgram } from '../service/program.ts';
import { makeLog, notesConfiguration, objects, succeed, textsConfiguration, topicContents, withRun, writeEncoder, writeNotes, writeTexts } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

test('publish, tail, clusters, label and forget beside a run', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    await withRun(file, async (run) => {
      const labels = startProgram(['tail', 'labels', '-c', file, '--json', '--from-start']);
      const changes = startProgram(['tail', 'cluster-events', '-c', file, '--from-start']);
      const texts = await writeTexts(directory, 't.jsonl', { a: 'river', b: 'river', c: 'river', d: 'river' });
      await succeed('publish', 'text', texts, '--id-column', 'id', '--source', 's', '-c', file);
      for (const item of ['s/a', 's/b', 's/c', 's/d']) await labels.printed(`"itemId":"${item}"`);

      const [cluster] = await objects('clusters', 'list', '-c', file);
      expect(cluster).toMatchObject({ size: 4, name: null });
      const id = String(cluster?.['id']);
      await succeed('clusters', 'label', id, 'Rivers', '-c', file);
      expect(await objects('clusters', 'list', '-c', file)).toMatchObject([{ id, name: 'Rivers' }]);
      await changes.printed(`texts labelled, survivor ${id}, name Rivers`);

      await succeed('forget', 's/b', '-c', file);
      await labels.printed('"role":"removed"');
      expect(await objects('clusters', 'list', '-c', file)).toMatchObject([{ id, size: 3 }]);

      for (const tail of [labels, changes]) {
        tail.kill('SIGINT');
        expect(await tail.finished).toMatchObject({ code: 0, stderr: '' });
      }
      const removed = jsonLines(labels.stdoutSoFar()).filter(({ value }) => JSON.stringify(value).includes('"role":"removed"'));
      expect(removed).toMatchObject([{ value: { itemId: 's/b' } }]);
      run.kill('SIGTERM');
      expect(await run.finished).toMatchObject({ code: 0 });
    });
  });
});

test('a tail survives the kill -9 of the run it follows: it takes the log itself, and gives it to the next run', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const publish = async (first: number): Promise<void> => {
      await succeed('publish', 'records', await writeNotes(directory, 'n.csv', 10, first), '--id-column', 'id', '-c', file);
    };
    let inputs: RunningProgram | undefined;
    let labels: RunningProgram | undefined;
    const sees = async (tail: RunningProgram | undefined, first: number): Promise<void> => {
      for (let index = first; index < first + 10; index++) await tail?.printed(`"itemId":"publish/n${index}"`);
    };
    await withRun(file, async (run) => {
      inputs = startProgram(['tail', 'record.events', '-c', file, '--json', '--from-start']);
      labels = startProgram(['tail', 'labels', '-c', file, '--json', '--from-start']);
      await publish(0);
      await sees(labels, 0);
      run.kill('SIGKILL');
      await run.finished;
    });
    await publish(10);
    for (let index = 10; index < 20; index++) await inputs?.printed(`"publish/n${index}"`);
    await withRun(file, async (run) => {
      await sees(labels, 10);
      await publish(20);
      await sees(labels, 20);
      run.kill('SIGTERM');
      await run.finished;
    });
    for (const tail of [inputs, labels]) {
      tail?.kill('SIGINT');
      expect(await tail?.finished).toMatchObject({ code: 0, stderr: '' });
    }
    // Nothing twice, nothing skipped, over three owners.
    const seen = jsonLines(inputs?.stdoutSoFar() ?? '');
    expect(seen.map(({ key }) => key).sort()).toEqual(Array.from({ length: 30 }, (_, index) => `publish/n${index}`).sort());
    for (const wanted of [0, 1]) {
      const sequences = seen.filter(({ partition }) => partition === wanted).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.map((_, index) => index));
    }
  });
});

/** Nothing but `publish` appends to the log of this one, so that a count of appends is a place in its input. */
const idleConfiguration = 'dataDirectory: data\nserver: { enabled: false }\nmetrics: { intervalMs: 3600000 }\nextract: { unrouted: drop }\n';

test('the owner dies in the middle of a publish: what was acknowledged is there, what is in doubt is said, and repeating it is safe', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, idleConfiguration);
    await makeLog(file);
    const kill = { NODE_OPTIONS: `--import=${join(repository, 'test/crash/kill-switch.ts')}`, LABELSTREAM_TEST_KILL: 'append:14' };
    const run = startProgram(['run', '-c', file], kill);
    await run.said('"msg":"running"');
    const notes = await writeNotes(directory, 'n.csv', 5000);
    const { code, stdout, stderr } = await runProgram('publish', 'records', notes, '--id-column', 'id', '-c', file);
    expect(await run.finished).toMatchObject({ signal: 'SIGKILL' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/\[LS_LOG_OWNER_LOST\]/);
    const said = /^(\d+) events published before the failure; whether the next 500 are, too, is unknown\. Publish the files again: /m.exec(stderr);
    const acknowledged = Number(said?.[1]);
    expect(acknowledged).toBeGreaterThanOrEqual(500);
    expect(acknowledged).toBeLessThan(5000);

    const keys = async (): Promise<Set<unknown>> => new Set((await topicContents(file, 'record.events')).map(({ key }) => key));
    const there = await keys();
    for (let index = 0; index < acknowledged; index++) expect(there).toContain(`publish/n${index}`);
    expect(there.size === acknowledged || there.size === acknowledged + 500, String(there.size)).toBe(true);

    expect(await objects('publish', 'records', notes, '--id-column', 'id', '-c', file)).toEqual([{ published: 5000, topic: 'record.events' }]);
    expect((await keys()).size).toBe(5000);
  });
});
