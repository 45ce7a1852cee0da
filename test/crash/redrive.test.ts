// kill -9 in the middle of `dlq redrive`, in the middle of its file operations: the same command again does the rest, and only the rest.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { notesConfiguration, objects, succeed } from '../cli/fixtures.ts';
import { appendRecords, extractedLabels, recordsIn } from '../cli/log-access.ts';
import { repository, withDirectory, writeConfiguration } from '../service/program.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const letterCount = 1_300;
/** Crash points are data: what is being done, and at which of its operations there. Opening the log takes part of them. */
const killsOfEachPhase = full ? Array.from({ length: 14 }, (_, index) => index + 1) : [2, 5, 8];
const kills = killsOfEachPhase.flatMap((count) => [`append:${count}`, `commit:${count}`]);

async function redriveUntilKilled(file: string, kill: string): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', join(import.meta.dirname, 'kill-switch.ts'), join(repository, 'src/main.ts'), 'dlq', 'redrive', '--all', '-c', file], {
    env: { ...process.env, LABELSTREAM_TEST_KILL: kill },
    stdio: 'ignore',
  });
  const signal = await new Promise<NodeJS.Signals | null>((done) => child.on('close', (_code, by) => done(by)));
  return signal === 'SIGKILL';
}

const unrouted = notesConfiguration.replace('from: record,', 'from: record, where: { source: nobody },');

test('nothing is lost and nothing redriven twice', { timeout: full ? 900_000 : 240_000 }, async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, unrouted);
    const note = { variance: 1, skewness: 2, curtosis: 3, entropy: 4 };
    await appendRecords(file, Object.fromEntries(Array.from({ length: letterCount }, (_, index) => [`n${index}`, note])));
    await succeed('run', '-c', file, '--until-idle');
    const letters = await objects('dlq', 'list', '--state', 'open', '-c', file);
    expect(letters).toHaveLength(letterCount);

    let killed = 0;
    const progress: number[] = [];
    for (const kill of kills) {
      killed += Number(await redriveUntilKilled(file, kill));
      progress.push((await recordsIn(file, topics.redrive)).length);
    }
    console.log(`${killed} of ${kills.length} killed; redriven after each: ${progress.join(', ')}`);
    expect(killed).toBeGreaterThanOrEqual(full ? 8 : 2);
    expect(progress.filter((count) => count > 0 && count < letterCount).length, 'killed with a part redriven').toBeGreaterThanOrEqual(1);
    if (progress.at(-1) !== letterCount) await succeed('dlq', 'redrive', '--all', '-c', file);
    const marks = (await recordsIn(file, topics.redrive)).map(({ headers }) => headers.get(headerNames.redriveOf)?.toString());
    expect(marks.sort()).toEqual(letters.map(({ id }) => id as string).sort());

    await writeConfiguration(directory, notesConfiguration);
    await succeed('run', '-c', file, '--until-idle');
    const labels = await extractedLabels(file);
    expect(labels).toHaveLength(letterCount);
    expect(new Set(labels.map(({ id }) => id)).size).toBe(letterCount);
    expect(await objects('dlq', 'list', '--state', 'resolved', '-c', file)).toHaveLength(letterCount);
  });
});
