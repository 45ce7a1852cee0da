// `publish` and `tail`, without a `run`.
import { expect, test, vi } from 'vitest';
import { runProgram, startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, notesConfiguration, objects, succeed, topicContents, writeInput, writeNotes } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

test('texts come from CSV, JSON lines and plain lines, with collection and attributes', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const csv = await writeInput(directory, 'a.csv', ['key,title,body,class', 'x,Title,"Body, quoted",sport']);
    const lines = await writeInput(directory, 'b.jsonl', ['{"id":"y","text":"a text","language":"en","occurredAt":"2020-01-02T03:04:05Z"}', '{"id":"z","deleted":true}']);
    const plain = await writeInput(directory, 'c.txt', ['first', '', 'third']);
    const csvOptions = ['--text-column', 'title', '--text-column', 'body', '--id-column', 'key', '--attribute-column', 'class'];
    await succeed('publish', 'text', csv, ...csvOptions, '--collection', 'mine', '--attribute', 'run=1', '--source', 's', '-c', file);
    await succeed('publish', 'text', lines, '--id-column', 'id', '-c', file);
    expect(await objects('publish', 'text', plain, '-c', file)).toEqual([{ published: 2, topic: 'text.events' }]);
    const events = (await topicContents(file, 'text.events')).map(({ key, value }) => ({ key, ...(value as object) }));
    expect(events).toHaveLength(5);
    const expected = [
      { key: 's/x', id: 'x', source: 's', text: 'Title Body, quoted', collection: 'mine', attributes: { class: 'sport', run: '1' }, language: null },
      { key: 'publish/y', text: 'a text', language: 'en', occurredAt: Date.UTC(2020, 0, 2, 3, 4, 5), collection: null, deleted: false },
      { key: 'publish/z', text: '', deleted: true },
      { key: 'publish/c.txt:1', text: 'first' },
      { key: 'publish/c.txt:3', text: 'third' },
    ];
    for (const event of expected) expect(events).toContainEqual(expect.objectContaining(event));
  });
});

test('tail prints each partition in order, from the start to the end', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await makeLog(file);
    expect((await succeed('tail', 'record.events', '-c', file, '--from-start', '--until-end')).stdout).toBe('');
    expect((await succeed('publish', 'records', await writeNotes(directory, 'n.csv', 1200), '--id-column', 'id', '-c', file)).stdout).toBe(
      'published 1200 events to record.events\n',
    );
    const records = await topicContents(file, 'record.events');
    expect(new Set(records.map(({ key }) => key)).size).toBe(1200);
    for (const wanted of [0, 1]) {
      const sequences = records.filter(({ partition }) => partition === wanted).map(({ sequence }) => sequence);
      expect(sequences.length).toBeGreaterThan(0);
      expect(sequences).toEqual(sequences.map((_, index) => index));
    }
    const { stdout } = await succeed('tail', 'record.events', '-c', file, '--from-start', '--until-end');
    expect(stdout.split('\n')).toHaveLength(1201);
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}[01]:0 {2}publish\/n\d+ \{"/);
    expect((await succeed('tail', 'record.events', '-c', file, '--until-end')).stdout).toBe('');
  });
});

test('a bad row is named by file and line; it is told how many before it are published, and nothing else is', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const rows = Array.from({ length: 700 }, (_, index) => (index === 650 ? 'n650,oops,1' : `n${index},${index},1`));
    const { code, stdout, stderr } = await runProgram(
      'publish', 'records', await writeInput(directory, 'bad.csv', ['id,a,b', ...rows]), '--id-column', 'id', '-c', file,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('500 events published before the failure\n');
    expect(stderr).toMatch(/bad\.csv, line 652: the column a is no number.* \[LS_CLI_COLUMN\]\n {2}Say which columns/);
    const keys = (await topicContents(file, 'record.events')).map(({ key }) => key);
    expect(keys.sort()).toEqual(Array.from({ length: 500 }, (_, index) => `publish/n${index}`).sort());
  });
});

test.each([
  ['a quote that is not closed', 'x.csv', ['text', '"open'], /x\.csv, line \d+: /],
  ['a row with too few columns', 'x.csv', ['id,text', '1,a', '2'], /x\.csv, line 3: /],
  ['no JSON', 'x.jsonl', ['{"text":"a"}', '{"text"'], /x\.jsonl, line 2: /],
  ['no text', 'x.jsonl', ['{"body":"a"}'], /x\.jsonl, line 1: there is no text in the column text; the columns are body/],
  ['an empty id', 'x.csv', ['id,text', ',a'], /x\.csv, line 2: the field id has 0 characters/],
  ['no date', 'x.jsonl', ['{"text":"a","occurredAt":"soon"}'], /x\.jsonl, line 1: occurredAt is neither/],
  ['an event beyond the limit', 'x.txt', ['y'.repeat(3000)], /x\.txt, line 1: the event has \d+ bytes; at most 2048 are allowed/],
])('%s is refused with file and line', async (_name, name, lines, said) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { kind: log, recordBytesMax: 2048 }\n`);
    const idColumn = lines[0]?.startsWith('id,') === true ? ['--id-column', 'id'] : [];
    const { code, stderr } = await runProgram('publish', 'text', await writeInput(directory, name, lines), ...idColumn, '-c', file);
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/\[LS_CLI_(COLUMN|INPUT)\]/);
  });
});

test('an event of exactly the limit is published, one of a byte more is not', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { kind: log, recordBytesMax: 2048 }\n`);
    const publishText = async (length: number): Promise<{ readonly code: number | null; readonly stderr: string }> => {
      const row = JSON.stringify({ text: 'y'.repeat(length), occurredAt: '2024-01-01T00:00:00Z' });
      return runProgram('publish', 'text', await writeInput(directory, 'x.jsonl', [row]), '-c', file);
    };
    const { stderr } = await publishText(3_000);
    const bytes = Number(/the event has (\d+) bytes; at most 2048 are allowed/.exec(stderr)?.[1]);
    const largest = 3_000 - (bytes - 2_048);
    expect((await publishText(largest + 1)).stderr).toContain('the event has 2049 bytes; at most 2048 are allowed');
    expect((await publishText(largest)).code).toBe(0);
    expect(await topicContents(file, 'text.events')).toHaveLength(1);
  });
});

test('Ctrl-C ends tail with exit code 0', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await makeLog(file);
    const tail = startProgram(['tail', 'record.events', '-c', file, '--from-start']);
    await succeed('publish', 'records', await writeNotes(directory, 'n.csv', 1), '--id-column', 'id', '-c', file);
    await tail.printed('publish/n0');
    tail.kill('SIGINT');
    const { code, signal, stderr } = await tail.finished;
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });
});
