// How `run` ends.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { jsonLines, runProgram, startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { fields, makeLog, notesConfiguration, succeed, textsConfiguration, topicContents, withLog, withRun, writeEncoder, writeInput, writeNotes, writeTexts } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

test('until idle: exit code 0, with dead letters, too', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await succeed('publish', 'records', await writeNotes(directory, 'n.csv', 20), '--id-column', 'id', '-c', file);
    const short = await writeInput(directory, 'short.csv', [`id,${fields[0]}`, 'bad,1']);
    await succeed('publish', 'records', short, '--id-column', 'id', '-c', file);
    const { stdout, stderr } = await startProgram(['run', '-c', file, '--until-idle'], { LABELSTREAM_LOG_LEVEL: 'silent' }).finished;
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^labelstream: the variable LABELSTREAM_LOG_LEVEL sets nothing; is LABELSTREAM_LOG__LEVEL meant\?\n/);
    expect(jsonLines(stderr.replace(/^labelstream.*\n/, '')).at(-1)).toMatchObject({ msg: 'stopped', handled: { 'record.events': 21 }, deadLetters: 1 });
    const labels = await topicContents(file, 'labels');
    expect(labels.map(({ value }) => (value as { itemId: string }).itemId).sort()).toEqual(Array.from({ length: 20 }, (_, index) => `publish/n${index}`).sort());
    const letters = await topicContents(file, 'dead-letters');
    expect(letters).toMatchObject([{ key: 'publish/bad', schema: 'RecordEvent', headers: { 'labelstream.error.code': expect.stringMatching(/^LS_/) as string } }]);
    const code = (letters[0]?.['headers'] as Record<string, string>)['labelstream.error.code'] ?? '';
    expect((await succeed('tail', 'dead-letters', '-c', file, '--from-start', '--until-end')).stdout).toMatch(new RegExp(` ${code} notes: the field skewness is missing.* \\| publish/bad \\{`));
  });
});

test('a stage that fails: exit code 1, with the code and the remedy', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    await succeed('publish', 'text', await writeTexts(directory, 't.jsonl', { a: 'river' }), '--id-column', 'id', '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    const [record] = (await topicContents(file, topics.features)).filter(({ schema }) => schema === 'FeatureEvent');
    const partition = record?.['partition'] as number;
    // What an EXTRACT with another model version would have sent.
    await withLog(file, async ({ transport, codec }) => {
      const [sent] = (await transport.read({ topic: topics.features, partition }, undefined, { records: 10, bytes: 1e6 }, new AbortController().signal)).slice(-1);
      if (sent === undefined) throw new Error('the feature is gone');
      const event = codec.decodeAs('FeatureEvent', sent.value);
      const read = { ...event.read, sequence: event.read.sequence + 1n };
      const origin = { ...event.origin, sequence: event.origin.sequence + 1n };
      await transport.append([{ ...sent, value: codec.encode('FeatureEvent', { ...event, read, origin, modelVersion: '9.9.9' }) }]);
    });
    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/\nlabelstream: .*LS_CLUSTER_MODEL_UNDECLARED: .*9\.9\.9.* \[LS_PIPELINE_FOLD_FAILED\]\n {2}See the cause.*\n {2}Find what wrote to the features topic/);

    // A live run ends, too, rather than go on with half of its work.
    const live = startProgram(['run', '-c', file]);
    onTestFinished(() => {
      live.kill('SIGKILL');
    });
    const ended = await live.finished;
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stderr).toContain('LS_CLUSTER_MODEL_UNDECLARED');
  });
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends a run in order: exit code 0', async (signal) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await withRun(file, async (run) => {
      run.kill(signal);
      const finished = await run.finished;
      expect(finished).toMatchObject({ code: 0, signal: null });
      expect(finished.stderr).toContain('"reason":"signal"');
      expect(finished.stderr).toContain('"forced":false');
    });
  });
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s while the program is still being loaded: exit code 0, and nothing is begun', async (signal) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const environment = { NODE_OPTIONS: `--import ${join(import.meta.dirname, 'early-signal-child.ts')}`, LABELSTREAM_TEST_SIGNAL: signal };
    expect(await startProgram(['run', '-c', file], environment).finished).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
    expect(await readdir(directory)).toEqual(['labelstream.yaml']);
  });
});

test.each([['SIGTERM', 'SIGTERM'], ['SIGINT', 'SIGTERM'], ['SIGTERM', 'SIGINT']] as const)('%s and then %s end it at once', async (signal, second) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const environment = { NODE_OPTIONS: `--import ${join(import.meta.dirname, 'early-signal-child.ts')}`, LABELSTREAM_TEST_SIGNAL: signal, LABELSTREAM_TEST_SECOND_SIGNAL: second };
    expect(await startProgram(['run', '-c', file], environment).finished).toMatchObject({ code: null, signal: second });
  });
});

test('a run that is told to stop while it waits for brokers says that it did', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { kind: kafka, brokers: ["127.0.0.1:1"] }\n`);
    const waiting = startProgram(['run', '-c', file]);
    onTestFinished(() => {
      waiting.kill('SIGKILL');
    });
    await waiting.said('"msg":"waiting for the brokers"');
    waiting.kill('SIGTERM');
    const { code, stderr } = await waiting.finished;
    expect([code, jsonLines(stderr).at(-1)]).toMatchObject([0, { level: 30, reason: 'signal', msg: 'stopped before it was running' }]);
  });
});

test('a second run on the directory is refused at once; the first goes on', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await withRun(file, async (run) => {
      const second = await runProgram('run', '-c', file);
      expect(second.code, second.stderr).toBe(1);
      expect(second.stderr).toMatch(new RegExp(`labelstream: Process ${String(run.pid)} owns the log directory .* \\[LS_LOG_OWNED\\]\\n {2}Stop the other`));
      await succeed('publish', 'records', await writeNotes(directory, 'n.csv', 1), '--id-column', 'id', '-c', file);
    });
  });
});

test('a run takes over from a tail that held the log, and the tail goes on through it', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await makeLog(file);
    const tail = startProgram(['tail', 'labels', '-c', file, '--from-start']);
    await succeed('publish', 'records', await writeNotes(directory, 'n.csv', 3), '--id-column', 'id', '-c', file);
    await withRun(file, async () => {
      for (const item of ['n0', 'n1', 'n2']) await tail.printed(`publish/${item} `);
    });
    tail.kill('SIGINT');
    expect(await tail.finished).toMatchObject({ code: 0, stderr: '' });
  });
});
