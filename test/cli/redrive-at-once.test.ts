// Redrives that meet: two of them at once, and one that takes the place of another that was killed, beside a live `run` and real processes all.
import { expect, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { jsonLines, startProgram, withDirectory, writeConfiguration, type Finished } from '../service/program.ts';
import { notesConfiguration, objects, succeed, withRun } from './fixtures.ts';
import { appendRecords, extractedLabels, recordsIn } from './log-access.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const letterCount = 3_000;
const unrouted = notesConfiguration.replace('from: record,', 'from: record, where: { source: nobody },');
const note = { variance: 1, skewness: 2, curtosis: 3, entropy: 4 };

/** The file of a configuration whose log holds so many open dead letters. */
async function withLetters(use: (directory: string, file: string, ids: readonly string[]) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, unrouted);
    await appendRecords(file, Object.fromEntries(Array.from({ length: letterCount }, (_, index) => [`n${index}`, note])));
    await succeed('run', '-c', file, '--until-idle');
    const letters = await objects('dlq', 'list', '--state', 'open', '-c', file);
    expect(letters).toHaveLength(letterCount);
    await use(directory, file, letters.map(({ id }) => id as string).sort());
  });
}

async function marksIn(file: string): Promise<readonly (string | undefined)[]> {
  return (await recordsIn(file, topics.redrive)).map(({ headers }) => headers.get(headerNames.redriveOf)?.toString()).sort();
}

/** What a command said that it redrove, by its sums where it ended well and otherwise by its last words. */
function toldBy({ code, stdout, stderr }: Finished): number {
  const printed = jsonLines(stdout).filter(({ outcome }) => outcome === 'redriven').length;
  if (code === 0) expect(jsonLines(stdout).at(-1)).toMatchObject({ redriven: printed });
  else expect(stderr).toMatch(new RegExp(`^${printed} dead letters? redriven before the failure; [^]*\\[LS_TRANSPORT_FENCED\\]|\\[LS_CLI_RANGE_EMPTY\\]`, 'm'));
  return printed;
}

test('two at once redrive each dead letter once between them: its result is told once', async () => {
  await withLetters(async (directory, file, ids) => {
    await writeConfiguration(directory, notesConfiguration);
    await withRun(file, async (run) => {
      const both = [0, 1].map(() => startProgram(['dlq', 'redrive', '--all', '--json', '-c', file]).finished);
      const told = (await Promise.all(both)).map(toldBy);
      console.log(`redriven by each: ${told.join(', ')}`);
      expect(await marksIn(file)).toEqual(ids);
      expect(told.reduce((sum, count) => sum + count)).toBe(letterCount);
      run.kill('SIGTERM');
      await run.finished;
    });
    await succeed('run', '-c', file, '--until-idle');
    const labels = await extractedLabels(file);
    expect(new Set(labels.map(({ id }) => id)).size).toBe(letterCount);
    expect(labels).toHaveLength(letterCount);
    expect(await objects('dlq', 'list', '--state', 'resolved', '-c', file)).toHaveLength(letterCount);
  });
});

test('two at once of what fails again leave one open dead letter of each item', async () => {
  await withLetters(async (_directory, file) => {
    await withRun(file, async (run) => {
      const both = [0, 1].map(() => startProgram(['dlq', 'redrive', '--all', '--json', '-c', file]).finished);
      (await Promise.all(both)).forEach(toldBy);
      run.kill('SIGTERM');
      await run.finished;
    });
    await succeed('run', '-c', file, '--until-idle');
    const marks = await marksIn(file);
    expect(new Set(marks).size).toBe(marks.length);
    const open = await objects('dlq', 'list', '--state', 'open', '-c', file);
    expect(open).toHaveLength(letterCount);
    expect(new Set(open.map(({ item }) => item)).size).toBe(letterCount);
  });
});

test('one that is killed between its batches has told what it did, and the next does the rest', async () => {
  await withLetters(async (_directory, file, ids) => {
    await withRun(file, async () => {
      const first = startProgram(['dlq', 'redrive', '--all', '--json', '-c', file]);
      await first.printed('"outcome":"redriven"');
      first.kill('SIGKILL');
      const second = await succeed('dlq', 'redrive', '--all', '--json', '-c', file);
      const told = jsonLines((await first.finished).stdout.replace(/[^\n]*$/, ''));
      const marks = await marksIn(file);
      expect(marks.filter((mark) => ids.includes(mark ?? ''))).toEqual(ids);
      const rest = jsonLines(second.stdout).filter(({ outcome }) => outcome === 'redriven').map(({ id }) => id);
      console.log(`told before the kill: ${told.length}; redriven after it: ${rest.length}`);
      // What was said to be done was not done again.
      expect(told.filter(({ id }) => rest.includes(id))).toEqual([]);
    });
  });
});
