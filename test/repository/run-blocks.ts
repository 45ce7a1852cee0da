/** Follows a document as a reader does: from what a reader has before the first command, block after block, with the real program. */
import { spawn } from 'node:child_process';
import { copyFile, cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { expect } from 'vitest';
import { root, type Block } from './documents.ts';

/**
 * What a reader has before the first command: the files of the repository that documents name, and `labelstream` as `npm ci` gives it. Folders are
 * of its own and most files are links, and neither packages nor their lock are there: no command reaches back into the repository.
 */
export async function prepare(directory: string): Promise<void> {
  for (const entry of ['bin', 'deploy', 'docs', 'examples', 'schemas']) await linkFiles(join(root, entry), join(directory, entry));
  // A model's files must lie in its directory, which links do not; those of plugins, too.
  await rm(join(directory, 'examples/plugins'), { recursive: true });
  await cp(join(root, 'examples/plugins'), join(directory, 'examples/plugins'), { recursive: true });
  await cp(join(root, 'models'), join(directory, 'models'), { recursive: true });
  await copyFile(join(root, 'package.json'), join(directory, 'package.json'));
  await mkdir(join(directory, 'node_modules/.bin'), { recursive: true });
  await symlink(join(root, 'bin/labelstream.js'), join(directory, 'node_modules/.bin/labelstream'));
  await symlink(process.execPath, join(directory, 'node_modules/.bin/node'));
}

/** Folders anew, files as links to those that are there. */
async function linkFiles(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) await linkFiles(join(from, entry.name), join(to, entry.name));
    else await symlink(join(from, entry.name), join(to, entry.name));
  }
}

/** Runs its commands, or writes the file that it is; gives what the commands printed. Fails where they fail, or print something else than is promised. */
export async function followBlock(block: Block, directory: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const file = block.marks.get('file');
  if (file === undefined) return runCommands(block, directory, environment);
  await writeFile(join(directory, file), `${block.text}\n`);
  return '';
}

async function runCommands(block: Block, directory: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const path = [join(directory, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);
  const child = spawn('bash', ['-euo', 'pipefail', '-c', block.text], {
    cwd: directory,
    env: { ...process.env, PATH: path, LABELSTREAM_SERVER__PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((ended) => child.on('close', ended));
  const report = `${placeOf(block)}\n${block.text}\n${said}`;
  expect(code, report).toBe(0);
  for (const promised of block.marks.get('prints')?.split(' | ') ?? []) expect(said, report).toContain(promised.trim());
  return printed;
}

export function placeOf({ document, line }: Block): string {
  return `${document}:${line}`;
}
