// What a command line may say, and how the program answers what it may not: exit codes 0, 1, 2 and 78.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { runProgram, startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, notesConfiguration, writeInput } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const wrong: readonly (readonly [parameters: string, said: string])[] = [
  ['', 'SYNOPSIS\n  labelstream [options]'],
  ['foo', "labelstream: unknown command 'foo' [LS_CLI_USAGE]\n  See `labelstream COMMAND --help`."],
  ['tial labels', "labelstream: unknown command 'tial' [LS_CLI_USAGE]\n(Did you mean tail?)\n"],
  ['help publish imagez', "labelstream publish has no command 'imagez'; there are text, records, images, sounds [LS_CLI_USAGE]\n"],
  ['help run images', "labelstream run has no command 'images' [LS_CLI_USAGE]\n"],
  ['clusters', 'SYNOPSIS\n  labelstream clusters '],
  ['clusters foo', "unknown command 'foo'"],
  ['validate -c FILE --bogus', "unknown option '--bogus' [LS_CLI_USAGE]\n"],
  ['run', "required option '-c, --config <file>' not specified [LS_CLI_USAGE]\n"],
  ['validate -c FILE --set group', "--set needs PATH=VALUE, such as --set server.port=9000 [LS_CLI_USAGE]\n"],
  ['publish text -c FILE', "missing required argument 'path'"],
  ['publish records rows.csv --attribute class -c FILE', 'LS_CLI_USAGE'],
  ['publish records rows.csv --source a/b -c FILE', 'LS_CLI_USAGE'],
  ['tail nothing -c FILE', "argument 'topic'. Allowed choices are media.events, text.events"],
  ['tail shop.labels -c FILE', '"shop.labels" is no topic of this configuration; write labels [LS_CLI_USAGE]'],
  ['replay --topic shop.labels --from 0 -c FILE', "Allowed choices are media.events, text.events, record.events."],
  ['tail labels --from 0 -c FILE', 'Write it as partition:position.'],
  ['tail labels --from x:1 -c FILE', 'Write it as partition:position.'],
  ['tail labels --from 2:1 -c FILE', 'labels has the partitions 0 to 1 [LS_CLI_USAGE]'],
  ['completion tcsh', "Allowed choices are bash, zsh, fish"],
  ['forget a/1 b -c FILE', '"b" is no item; write it as source/id [LS_CLI_USAGE]'],
];

test('a wrong command line is exit code 2, with what is wrong on standard error and nothing on standard output', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await makeLog(file);
    for (const [parameters, said] of wrong) {
      const { code, stdout, stderr } = await runProgram(...parameters.replace('FILE', file).split(' ').filter(Boolean));
      expect({ parameters, code, stdout }).toEqual({ parameters, code: 2, stdout: '' });
      expect(stderr).toContain(said);
    }
  });
});

describe('a file that cannot be published is exit code 1, before anything of any file is sent', () => {
  test.each([['missing.csv', 'LS_CLI_FILE'], ['notes.pdf', 'LS_CLI_FILE_KIND'], ['folder.txt', 'LS_CLI_FILE']])('%s', async (name, errorCode) => {
    await withDirectory(async (directory) => {
      const file = await writeConfiguration(directory, notesConfiguration);
      await mkdir(join(directory, 'folder.txt'));
      const good = await writeInput(directory, 'good.txt', ['a text']);
      const { code, stdout, stderr } = await runProgram('publish', 'text', good, join(directory, name), '-c', file);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(new RegExp(`${name}: .* \\[${errorCode}\\]\\n`));
      expect(stderr).not.toContain('published 1');
    });
  });
});

test('a reader that has seen enough ends the command quietly', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const rows = await writeInput(directory, 'many.txt', Array.from({ length: 20_000 }, (_, index) => `text ${index} ${'x'.repeat(50)}`));
    expect((await runProgram('publish', 'text', rows, '-c', file)).code).toBe(0);
    const tail = startProgram(['tail', 'text.events', '-c', file, '--from-start', '--json']);
    await tail.printed('\n');
    tail.closeOutput();
    const { code, signal, stderr } = await tail.finished;
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });
});

test('NO_COLOR and a pipe give plain text', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    const { stdout, stderr } = await startProgram(['run', '-c', file, '--until-idle'], { NO_COLOR: '1' }).finished;
    expect(`${stdout}${stderr}`).not.toContain('\u001b');
  });
});
