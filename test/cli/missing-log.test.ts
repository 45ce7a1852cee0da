// A mistyped dataDirectory must not look like an empty log: what only reads, or works on what is there, refuses a log that there is not, and makes none.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { notesConfiguration, succeed, textsConfiguration, writeEncoder, writeNotes } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

/** Of every role that a command has. */
const onWhatIsThere = [
  'clusters list', 'tail labels --until-end', 'lag', 'dlq list', 'forget s/1', 'groups reset --topic text.events --to earliest', 'topics check', 'topics create --dry-run', 'topics repartition',
];

test.each(onWhatIsThere)('%s refuses a log that there is not, and leaves nothing behind', async (command) => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    const before = await readdir(directory);
    const { code, stdout, stderr } = await runProgram(...command.split(' '), '-c', file, '--set', 'dataDirectory=./typo');
    expect(stderr).toContain(`There is no log at ${join(directory, 'typo/log')}. [LS_LOG_MISSING]\n  Check \`dataDirectory\``);
    expect([code, stdout]).toEqual([1, '']);
    expect(await readdir(directory)).toEqual(before);
  });
});

test('topics create, publish and run make the log, and then it can be read', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const notes = await writeNotes(directory, 'notes.csv', 2);
    const making = [['topics', 'create'], ['publish', 'records', notes, '--id-column', 'id', '--source', 's'], ['run', '--until-idle']];
    for (const [index, command] of making.entries()) {
      const place = ['-c', file, '--set', `dataDirectory=made-${index}`];
      await succeed(...command, ...place);
      expect((await succeed('tail', 'labels', '--until-end', ...place)).stdout).toBe('');
    }
  });
});
