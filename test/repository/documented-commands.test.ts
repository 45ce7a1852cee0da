// Every command of the documents is run as it stands there, in its order, by the real program; those that need more than the repository say what.
import { spawn } from 'node:child_process';
import { copyFile, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { withDirectory } from '../service/program.ts';
import { blocksOf, documents, inlineCommands, needs, root, type Block } from './documents.ts';

const all = (await Promise.all((await documents()).map(blocksOf))).flat();
const shellLanguages = new Set(['sh', 'bash', 'shell', 'console']);

test('a block of commands is marked sh, and what it needs is on the list', () => {
  const isCommand = ({ language, text }: Block): boolean => shellLanguages.has(language) || (language === '' && /^(\$ )?(labelstream|npm|npx|node|docker) /m.test(text));
  expect(all.filter((block) => isCommand(block) && block.language !== 'sh').map(placeOf)).toEqual([]);
  const foreign = all.flatMap((block) => {
    const need = block.marks.get('needs');
    return need === undefined || (needs as readonly string[]).includes(need) ? [] : [`${placeOf(block)}: ${need}`];
  });
  expect(foreign).toEqual([]);
  expect([...new Set(all.flatMap(({ marks }) => [...marks.keys()]))].filter((mark) => !['needs', 'file', 'given', 'prints'].includes(mark))).toEqual([]);
});

function placeOf({ document, line }: Block): string {
  return `${document}:${line}`;
}

/**
 * What a reader has before the first command: the files of the repository that documents name, and `labelstream` as `npm ci` gives it. Folders are
 * of its own and most files are links, and neither packages nor their lock are there: no command reaches back into the repository.
 */
async function prepare(directory: string): Promise<void> {
  for (const entry of ['bin', 'deploy', 'docs', 'examples', 'schemas']) await linkFiles(join(root, entry), join(directory, entry));
  // A model's files must lie in its directory, which links do not.
  await cp(join(root, 'models'), join(directory, 'models'), { recursive: true });
  await copyFile(join(root, 'package.json'), join(directory, 'package.json'));
  await mkdir(join(directory, 'node_modules/.bin'), { recursive: true });
  await symlink(join(root, 'bin/labelstream.js'), join(directory, 'node_modules/.bin/labelstream'));
}

async function linkFiles(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) await linkFiles(join(from, entry.name), join(to, entry.name));
    else await symlink(join(from, entry.name), join(to, entry.name));
  }
}

test('what installs, removes or asks for rights is marked, and not run here', () => {
  const risky = /\b(npm (ci|i|install|run|test)|npx (?!labelstream)|rm|sudo|docker|apt-get)\b/;
  expect(all.filter(({ language, text, marks }) => language === 'sh' && risky.test(text) && !marks.has('needs')).map(placeOf)).toEqual([]);
});

async function runBlock(block: Block, directory: string): Promise<void> {
  const environment = { ...process.env, PATH: [join(directory, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(delimiter), LABELSTREAM_SERVER__PORT: '0' };
  const child = spawn('bash', ['-euo', 'pipefail', '-c', block.text], { cwd: directory, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((ended) => child.on('close', ended));
  expect(code, `${placeOf(block)}\n${block.text}\n${said}`).toBe(0);
  for (const promised of block.marks.get('prints')?.split(' | ') ?? []) expect(said, `${placeOf(block)}\n${block.text}`).toContain(promised.trim());
}

const runnable = Map.groupBy(all.filter(({ language, marks }) => language === 'sh' || marks.has('file')), ({ document }) => document);

describe.concurrent.each([...runnable])('%s', (_document, blocks) => {
  const skipped = blocks.filter(({ marks }) => marks.has('needs'));
  const commands = blocks.filter(({ marks }) => !marks.has('needs'));
  for (const block of skipped) test.skip(`${placeOf(block)} (needs ${block.marks.get('needs') ?? ''})`);
  if (commands.length > 0) {
    test('its commands do what they should', { timeout: 240_000 }, async () => {
      await withDirectory(async (directory) => {
        await prepare(directory);
        for (const block of commands) {
          const given = block.marks.get('given');
          if (given !== undefined) await copyFile(join(root, 'test/repository/given', given), join(directory, given));
          const file = block.marks.get('file');
          if (file === undefined) await runBlock(block, directory);
          else await writeFile(join(directory, file), `${block.text}\n`);
        }
      });
    });
  }
});

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** What is not run, because it needs something, is at least a command that there is. */
function unrunCommands(document: string): string[] {
  const blocks = all.filter((block) => block.document === document && block.language === 'sh' && block.marks.has('needs'));
  return blocks.flatMap(({ text }) => text.split('\n').filter((line) => /^(labelstream|npm run) /.test(line)));
}

test('a command within a sentence, or one that is not run, is one that there is', async () => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: Readonly<Record<string, string>> };
  const { stdout, stderr } = process;
  for (const document of await documents()) {
    for (const command of [...(await inlineCommands(document)), ...unrunCommands(document)]) {
      const [, script] = /^npm run ([\w:-]+)/.exec(command) ?? [];
      if (script !== undefined) expect(Object.keys(scripts), `${document}: ${command}`).toContain(script);
      const [, text] = /(?:^|--? |npx )labelstream (.*)$/.exec(command) ?? [];
      // Names of commands alone, such as `labelstream tail`, stand for what their help says.
      if (text === undefined || !/ -(c|-to|-help)\b/.test(text) || text.includes('…')) continue;
      const program = await createProgram({ stdout, stderr, environment: {}, signal: new AbortController().signal });
      for (const each of [program, ...program.commands, ...leavesOf(program)]) each.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
      for (const leaf of leavesOf(program)) leaf.action(() => undefined);
      const words = text.replace('COMMAND', 'run').split(' ').filter((word) => word !== '');
      const mistake = await program.parseAsync(words, { from: 'user' }).then(() => undefined, (error: unknown) => error);
      if (!(mistake instanceof CommanderError && mistake.exitCode === 0)) expect(mistake, `${basename(document)}: ${command}`).toBeUndefined();
    }
  }
});
