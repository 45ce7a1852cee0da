// Every command of the documents is run as it stands there, in its order, by the real program; those that need more than the repository say what.
import { access, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { withDirectory } from '../service/program.ts';
import { blocksOf, documents, inlineCommands, needs, root } from './documents.ts';
import { followBlock, placeOf, prepare } from './run-blocks.ts';

const all = (await Promise.all((await documents()).map(blocksOf))).flat();
/** A line that a person would type. */
const command = /^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:labelstream|npm|npx|node|docker|curl|python3?|pip|apt|apt-get|git|tar|rm) \S/m;

test('a block of commands is marked sh, and what it needs is on the list', () => {
  expect([...new Set(all.map(({ language }) => language))].sort()).toEqual(['csv', 'json', 'python', 'sh', 'text', 'ts', 'yaml']);
  expect(all.filter(({ language, text }) => language !== 'sh' && command.test(text)).map(placeOf)).toEqual([]);
  const foreign = all.flatMap((block) => {
    const need = block.marks.get('needs');
    return need === undefined || (needs as readonly string[]).includes(need) ? [] : [`${placeOf(block)}: ${need}`];
  });
  expect(foreign).toEqual([]);
  expect([...new Set(all.flatMap(({ marks }) => [...marks.keys()]))].filter((mark) => !['needs', 'file', 'prints'].includes(mark))).toEqual([]);
});

test('what installs, removes or asks for rights is marked, and not run here', () => {
  const risky = /\b(npm (ci|i|install|run|test)|npx (?!labelstream)|rm|sudo|docker|apt|apt-get|pip|python3?)\b/;
  expect(all.filter(({ language, text, marks }) => language === 'sh' && risky.test(text) && !marks.has('needs')).map(placeOf)).toEqual([]);
});

const runnable = Map.groupBy(all.filter(({ language, marks }) => language === 'sh' || marks.has('file')), ({ document }) => document);

describe.concurrent.each([...runnable])('%s', (_document, blocks) => {
  const skipped = blocks.filter(({ marks }) => marks.has('needs'));
  const commands = blocks.filter(({ marks }) => !marks.has('needs'));
  for (const block of skipped) test.skip(`${placeOf(block)} (needs ${block.marks.get('needs') ?? ''})`);
  if (commands.length > 0) {
    test('its commands do what they should', { timeout: 240_000 }, async () => {
      await withDirectory(async (directory) => {
        await prepare(directory);
        const given = await readdir(directory);
        for (const block of commands) await followBlock(block, directory);
        const shown = commands.flatMap(({ marks }) => marks.get('file') ?? []);
        const written = (await readdir(directory)).filter((entry) => !given.includes(entry) && !shown.includes(entry));
        expect(written.filter((entry) => entry !== 'data'), 'written beside data/, where git would show it').toEqual([]);
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
  return blocks.flatMap(({ text }) => text.split('\n').map((line) => line.replace(/^(?:[A-Z_]+=\S+ )+/, '')).filter((line) => /^(labelstream|npm run) /.test(line)));
}

test('a block of commands is indented nowhere, and the examples leave theirs to the tutorials', async () => {
  const indented: string[] = [];
  for (const document of await documents()) {
    const text = (await readFile(join(root, document), 'utf8')).replaceAll(/^```[^]*?^```$/gm, '');
    if (text.split('\n').some((line) => /^(?: {4}|\t)/.test(line) && command.test(line))) indented.push(document);
  }
  for (const file of await exampleFiles()) {
    const comments = (await readFile(join(root, file), 'utf8')).split('\n').flatMap((line) => /^(?:#|\/\/)(.*)$/.exec(line)?.[1] ?? []);
    if (comments.some((line) => command.test(line))) indented.push(file);
  }
  expect(indented).toEqual([]);
});

async function exampleFiles(): Promise<readonly string[]> {
  return (await readdir(join(root, 'examples'))).filter((entry) => /\.(?:ts|yaml)$/.test(entry)).sort().map((entry) => join('examples', entry));
}

test('what a block with Python runs is there', async () => {
  const files = all.filter(({ marks }) => marks.get('needs') === 'Python').flatMap(({ text }) => text.match(/scripts\/\S+/g) ?? []);
  expect(files.length).toBeGreaterThan(4);
  for (const file of new Set(files)) await access(join(root, file));
});

test('a command within a sentence, or one that is not run, is one that there is', async () => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: Readonly<Record<string, string>> };
  const { stdout, stderr } = process;
  for (const document of [...(await documents()), ...(await exampleFiles())]) {
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
