// What a Node that is too old is told, and which other one then runs the program.
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { repository, withDirectory } from './program.ts';

const old = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.19.0"}})';

/** Runs the program's entry, installed below a folder, by a Node that says it is 20.19. */
async function startOld(directory: string, ...parameters: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const entry = join(directory, 'node_modules/labelstream/bin/labelstream.js');
  await mkdir(dirname(entry), { recursive: true });
  await copyFile(join(repository, 'bin/labelstream.js'), entry);
  await writeFile(join(directory, 'node_modules/labelstream/package.json'), '{ "type": "module" }\n');
  return promisify(execFile)(process.execPath, ['--import', old, entry, ...parameters]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
}

test('where there is no newer Node, the message says how to install one', async () => {
  await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await startOld(directory, 'demo');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('needs Node ^22.22 || >=24.6');
    expect(stderr).toContain('`npm install node@24`');
  });
});

test.each([
  ['beside the package', 'node_modules/node/bin/node'],
  ['in the repository', 'node_modules/labelstream/node_modules/node/bin/node'],
])('a Node that npm installed %s runs the program, and its exit code goes through', async (_where, path) => {
  await withDirectory(async (directory) => {
    const newer = join(directory, path);
    await mkdir(dirname(newer), { recursive: true });
    await writeFile(newer, '#!/bin/sh\necho "started: $2"\nexit 7\n');
    await chmod(newer, 0o755);
    expect(await startOld(directory, 'demo')).toMatchObject({ code: 7, stdout: 'started: demo\n' });
  });
});
