// The completion scripts, asked by the shells themselves what they would complete.
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { completionNodes } from '../../src/cli/completion.ts';
import { completionScripts } from '../../src/cli/completion-scripts.ts';
import { createProgram } from '../../src/cli/program.ts';
import { allTopics } from '../../src/core/topics.ts';
import { commandThere, testWith } from '../requirements.ts';
import { withDirectory } from '../service/program.ts';

const { stdout, stderr } = process;
const nodes = completionNodes(await createProgram({ stdout, stderr, environment: {}, signal: new AbortController().signal }));
const below = (path: string): string[] => nodes.find((node) => node.path.join(' ') === path)?.commands.map(({ name }) => name) ?? [];

/** What is typed, the cursor at its end, and exactly what must be offered. */
const cases: readonly { readonly typed: string; readonly offered: readonly string[] }[] = [
  { typed: 'labelstream ', offered: below('') },
  { typed: 'labelstream cl', offered: ['clusters'] },
  { typed: 'labelstream clusters ', offered: below('clusters') },
  { typed: 'labelstream clusters s', offered: ['show'] },
  { typed: 'labelstream tail ', offered: allTopics },
  { typed: 'labelstream tail cluster', offered: ['cluster-events'] },
  { typed: 'labelstream tail labels --from-', offered: ['--from-start'] },
  { typed: 'labelstream run --', offered: ['--config', '--set', '--until-idle', '--rebuild-from-truncated-log', '--dry-run', '--help'] },
  { typed: 'labelstream run -c new', offered: ['news.yaml'] },
  // The value of an option is no command.
  { typed: 'labelstream clusters list --collection show --js', offered: ['--json'] },
  { typed: 'labelstream publish text rows', offered: ['rows.csv'] },
  { typed: 'labelstream completion ', offered: ['bash', 'zsh', 'fish'] },
];

/** A folder with files to complete. */
function inFolder(use: (directory: string, script: (text: string) => Promise<string>) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    await mkdir(join(directory, 'work'));
    for (const file of ['news.yaml', 'rows.csv']) await writeFile(join(directory, 'work', file), '');
    await use(join(directory, 'work'), async (text) => {
      await writeFile(join(directory, 'script'), text);
      return join(directory, 'script');
    });
  });
}

function ask(shell: string, parameters: readonly string[], cwd: string): string[] {
  const { stdout: answer, stderr: complaints, status } = spawnSync(shell, parameters, { cwd, encoding: 'utf8' });
  expect({ complaints, status }).toEqual({ complaints: '', status: 0 });
  return answer.split('\n').filter((line) => line !== '');
}

test('bash completes commands, options, topics and files', () =>
  inFolder(async (directory, script) => {
    const file = await script(completionScripts.bash(nodes));
    for (const { typed, offered } of cases) {
      const words = typed.split(' ').map((word) => `'${word}'`);
      const question = `source '${file}'; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _labelstream; printf '%s\\n' "\${COMPREPLY[@]}"`;
      expect({ typed, offered: ask('bash', ['--norc', '-c', question], directory).sort() }).toEqual({ typed, offered: [...offered].sort() });
    }
  }));

testWith({ 'fish (Debian package fish)': commandThere('fish') }, 'fish completes commands, options, topics and files', {}, () =>
  inFolder(async (directory, script) => {
    const file = await script(completionScripts.fish(nodes));
    for (const { typed, offered } of cases) {
      const answered = ask('fish', ['--no-config', '-c', `source '${file}'; complete -C '${typed}'`], directory).map((line) => line.split('\t')[0] ?? '');
      expect({ typed, offered: answered.sort() }).toEqual({ typed, offered: [...offered].sort() });
    }
  }),
);

testWith({ 'zsh (Debian package zsh)': commandThere('zsh') }, 'zsh completes commands, options and topics', {}, () =>
  inFolder(async (directory, script) => {
    const file = await script(completionScripts.zsh(nodes));
    // Offers are caught where the script makes them: matching them with what is typed is the shell's own work.
    const caught = `autoload -Uz compinit; compdef() { : }; compadd() { shift; print -l -- "$@" }; _files() { print -l -- * }; source '${file}'`;
    for (const { typed, offered } of cases) {
      const words = typed.split(' ').map((word) => `'${word}'`);
      const last = typed.split(' ').at(-1) ?? '';
      const answered = ask('zsh', ['-f', '-c', `${caught}; words=(${words.join(' ')}); CURRENT=${words.length}; _labelstream`], directory);
      expect({ typed, offered: answered.filter((word) => word.startsWith(last)).sort() }).toEqual({ typed, offered: [...offered].sort() });
    }
  }),
);
