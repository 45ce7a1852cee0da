/** `models pull`: the only command that fetches a model; nothing that runs does. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { SingleBar } from 'cli-progress';
import { InvalidArgumentError, type Command } from 'commander';
import { counted } from '../core/counted.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { Pulled, PullObserver } from '../hub/pull.ts';
import { defaultHub, untoldBytesMaxDefault } from '../hub/pull-defaults.ts';
import { systemClock } from '../pipeline/system-clock.ts';
import { collected } from './collect.ts';
import { outputOf, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import type { Output } from './output.ts';
import { printableLine } from './printable.ts';
import { sizeText } from './size-text.ts';

type PullCommandOptions = {
  readonly revision: string;
  readonly to: string;
  readonly from: string;
  readonly file: readonly string[];
  readonly allowBranch?: boolean;
  readonly update?: boolean;
  readonly untoldBytesMax: number;
  readonly json?: boolean;
};

export function addModelsPullCommand(models: Command, commandLine: CommandLine): void {
  const command = models
    .command('pull')
    .argument('<repository>', 'the repository, such as OWNER/NAME')
    .summary('fetch the files of a published model')
    .description(
      'fetch the files of a repository in the layout of Hugging Face, at one commit, from the hub, from a mirror of it, or from a directory. What each file is, its SHA-256, is written ' +
        'to DIRECTORY.lock.json beside the directory: a later pull must find the same, or is refused. A pull that broke off goes on where it was. Nothing is run, and no program ' +
        'fetches anything later: `models import` makes a model of what is there. HF_TOKEN, where it is set, is sent to the host named by --from alone, over https',
    )
    .requiredOption('--revision <commit>', 'the commit, in 40 hexadecimal digits')
    .requiredOption('--to <directory>', 'the directory to make')
    .option('--from <url-or-directory>', 'the hub, a mirror of it, or a directory that holds repositories: the cache of huggingface_hub, or OWNER/NAME/resolve/COMMIT', defaultHub)
    .option('--file <name>', 'a file to fetch, with * and ** for any; may be repeated. Without it: JSON files, tokenizers, licence and card, and the ONNX files that are imported', collected, [])
    .option('--allow-branch', 'take the name of a branch or a tag for --revision; the commit that it is now is what is pulled and written down')
    .option('--update', 'replace what an earlier pull put there, and its lock file')
    .option('--untold-bytes-max <count>', 'the most bytes of a file whose size neither the list of the repository nor the host tells', byteCount, untoldBytesMaxDefault)
    .option('--json', 'the result as one JSON object')
    .action(async (repository: string, { to, file, allowBranch = false, update = false, ...options }: PullCommandOptions) => {
      const output = outputOf(commandLine, options.json);
      const token = commandLine.environment['HF_TOKEN'];
      const request = { ...options, repository, directory: to, files: file, allowBranch, update, token: token === '' ? undefined : token };
      const { pull } = await import('../hub/pull.ts');
      const watch = await watcherOf(output);
      try {
        const pulled = await pull(request, { clock: systemClock, random: Math.random, signal: commandLine.signal, observer: watch.observer });
        watch.stop();
        await print(pulled, output);
      } finally {
        watch.stop();
      }
    });
  withExamples(
    command,
    'labelstream models pull acme/captioner --revision 0123456789abcdef0123456789abcdef01234567 --to data/pulled/captioner',
    'labelstream models pull acme/captioner --revision main --allow-branch --to data/pulled/captioner --from https://mirror.example.com/hub',
    'labelstream models pull acme/captioner --revision 0123456789abcdef0123456789abcdef01234567 --to data/pulled/captioner --from /srv/hub --file \'*.json\' --file \'onnx/*_quantized.onnx\'',
  );
}

function byteCount(value: string): number {
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new InvalidArgumentError('It is a whole number from 1.');
  return Number(value);
}

/** A bar for a person who watches; otherwise a line per file on standard error. */
async function watcherOf(output: Output): Promise<{ readonly observer: PullObserver; readonly stop: () => void }> {
  const bars = output.terminal ? await import('cli-progress') : undefined;
  let bar: SingleBar | undefined;
  let doneBytes = 0;
  const observer: PullObserver = {
    planned: ({ repository, revision, files, bytes }) => {
      if (!output.json) output.note(`${repository} at ${revision}: ${counted(files, 'file')}${bytes === undefined ? '' : `, ${sizeText(bytes)}`}`);
      if (bars === undefined || bytes === undefined) return;
      bar = new bars.SingleBar({ format: 'pulling {bar} {percentage}% | {said}', stream: process.stderr });
      bar.start(bytes, 0, { said: '' });
    },
    progressed: ({ path, bytes }) => bar?.update(doneBytes + bytes, { said: printableLine(path) }),
    done: ({ path, sizeBytes, how }) => {
      doneBytes += sizeBytes;
      if (bar === undefined && !output.json) output.note(`${path}: ${sizeText(sizeBytes)}${how === 'there' ? ', is there already' : ''}`);
      bar?.update(doneBytes, { said: printableLine(path) });
    },
    retried: ({ path, attempt, error }) => {
      const why = error instanceof LabelstreamError ? `${error.message} [${error.code}]` : String(error);
      if (bar === undefined) output.note(`${path}: attempt ${attempt} failed, and is repeated: ${why}`);
    },
  };
  return {
    observer,
    stop: () => {
      bar?.stop();
      bar = undefined;
    },
  };
}

async function print(pulled: Pulled, output: Output): Promise<void> {
  const { directory, repository, revision, resolvedFrom, files, lockPath, from, fetchedFiles } = pulled;
  const bytes = files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  const next = await importCommand(pulled);
  if (output.json) {
    output.object({ directory, repository, revision, resolvedFrom, from, lock: lockPath, files, sizeBytes: bytes, fetchedFiles, import: next });
    return;
  }
  output.line(`${repository} at ${revision}${resolvedFrom === undefined ? '' : `, which is ${resolvedFrom} now`}: ${counted(files.length, 'file')}, ${sizeText(bytes)}, in ${directory}`);
  output.line(fetchedFiles === 0 ? `all of it was there, as ${lockPath} says` : `what each file is stands in ${lockPath}`);
  if (next !== undefined) output.line(`next: ${next}`);
}

/** The command that makes a model of it; undefined where there is nothing that `models import` takes. */
async function importCommand({ directory, repository, revision, files }: Pulled): Promise<string | undefined> {
  const has = (path: string): boolean => files.some((file) => file.path === path);
  const graphs = files.filter(({ path }) => path.endsWith('.onnx'));
  const [only] = graphs;
  if (only === undefined) return undefined;
  const from = has('config.json') ? directory : join(directory, only.path);
  const options = ['--to', quoted(`models/${basename(directory)}`), '--licence', quoted(await licenceOf(directory)), '--source', quoted(`${repository}@${revision}`)];
  return ['labelstream models import', quoted(from), ...options].join(' ');
}

/** As the card of the repository says at its top, if it does. */
async function licenceOf(directory: string): Promise<string> {
  const unknown = 'LICENCE';
  const { parse: parseYaml } = await import('yaml');
  try {
    const [, head = ''] = /^---\r?\n([^]*?)\r?\n---\r?\n/.exec(await readFile(join(directory, 'README.md'), 'utf8')) ?? [];
    const card = parseYaml(head) as unknown;
    const licence = typeof card === 'object' && card !== null && 'license' in card ? card.license : undefined;
    return typeof licence === 'string' && /^[\w.+-]{1,60}$/.test(licence) ? licence : unknown;
  } catch {
    return unknown;
  }
}

/** As a shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
