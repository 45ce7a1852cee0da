// Packs the package as it is on a fresh clone, installs it into an empty folder by the README's own commands, follows the tutorials there, and writes and runs
// programs against what it exports.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, normalize, resolve } from 'node:path';
import { blocksOf, documents, type Block } from '../test/repository/documents.ts';

const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'labelstream-package-'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly devDependencies: Readonly<Record<string, string>> };

type Packed = { readonly filename: string; readonly size: number; readonly unpackedSize: number; readonly files: readonly { readonly path: string; readonly size: number }[] };

/** What a user has: neither the programs nor the settings of the repository, which `npm run` adds. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_(package|lifecycle|config_local_prefix|config_onnxruntime)|onnxruntime_node)/i.test(name)),
);
environment['PATH'] = (process.env['PATH'] ?? '').split(delimiter).filter((path) => !path.includes('node_modules')).join(delimiter);
/** Where `labelstream` is the installed program, as the tutorials want it. */
const tutorialPath = [join(folder, 'node_modules/.bin'), environment['PATH']].join(delimiter);

type Printed = { readonly stdout: string; readonly stderr: string };

function run(command: string, parameters: readonly string[], cwd: string, path = environment['PATH']): Printed {
  console.log(`$ ${[command, ...parameters].join(' ')}`);
  const { status, stdout, stderr, error } = spawnSync(command, parameters, { cwd, encoding: 'utf8', env: { ...environment, PATH: path }, maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${String(status)}:\n${stderr}`);
  return { stdout, stderr };
}

function write(file: string, text: string): void {
  writeFileSync(join(folder, file), text);
}

/** A block as a reader follows it: a file is written, commands are run. */
function follow({ document, line, marks, text }: Block): void {
  const file = marks.get('file');
  if (file !== undefined) {
    write(file, `${text}\n`);
    return;
  }
  const { stdout, stderr } = run('bash', ['-euo', 'pipefail', '-c', text], folder, document === 'README.md' ? environment['PATH'] : tutorialPath);
  for (const promised of marks.get('prints')?.split(' | ') ?? []) {
    if (!`${stdout}${stderr}`.includes(promised.trim())) throw new Error(`${document}:${line} does not print ${promised}:\n${stdout}${stderr}`);
  }
}

const isFollowed = ({ language, marks }: Block): boolean => (language === 'sh' || marks.has('file')) && !marks.has('needs');

/** A link in a packed document that leads to a file that is not packed. */
async function checkLinks({ files }: Packed): Promise<void> {
  const packed = files.map(({ path }) => path);
  const dead: string[] = [];
  for (const document of (await documents()).filter((path) => packed.includes(path))) {
    for (const [, link = ''] of readFileSync(join(root, document), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const target = normalize(join(document, '..', link)).replace(/\/$/, '');
      if (!packed.some((path) => path === target || path.startsWith(`${target}/`))) dead.push(`${document}: ${link}`);
    }
  }
  if (dead.length > 0) throw new Error(`links lead out of the package: ${dead.join(', ')}`);
}

/** What a user needs and nothing else; the sizes by folder, for whoever reads the log. */
function checkFiles({ files, size, unpackedSize }: Packed): void {
  const foreign = files.filter(({ path }) => !/^(bin|dist|docs|schemas|models|examples\/(images|plugins))\/|^examples\/(\w+\.yaml|(indexer|clustering)\.ts)$|^(package\.json|README\.md|ARCHITECTURE\.md|LICENSE|deploy\/alerts\.yaml)$/.test(path) || /\.test\.|(^|\/)(test|scripts|node_modules)\//.test(path));
  if (foreign.length > 0) throw new Error(`the package holds what no user needs: ${foreign.map(({ path }) => path).join(', ')}`);
  const missing = ['dist/main.js', 'dist/index.js', 'dist/clustering/index.js', 'dist/plugin.js', 'examples/plugins/colours/plugin.ts', 'dist/clustering/search/search-worker.js', 'docs/errors.md', 'examples/news.yaml'].filter((path) => !files.some((file) => file.path === path));
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(', ')}`);
  const bytes = new Map<string, number>();
  for (const file of files) {
    const part = file.path.includes('/') ? `${file.path.split('/')[0] ?? ''}/` : file.path;
    bytes.set(part, (bytes.get(part) ?? 0) + file.size);
  }
  for (const [part, sum] of bytes) console.log(`  ${part.padEnd(14)} ${String(sum).padStart(10)} bytes`);
  console.log(`packed: ${size} bytes, unpacked: ${unpackedSize} bytes, ${files.length} files`);
}

/** A strict program on every export: values, event types, the type of a configuration, and that a wrong one is refused. */
const typedProgram = `
import { writeFileSync } from 'node:fs';
import {
  createClusterResolver, openCodec, type Assignment, type ClusterEvent, type ClusterResolver, type Codec, type ConfigurationFile, type LabelEvent, type ResolvedItem,
  type TextEvent,
} from 'labelstream';

const configuration: ConfigurationFile = {
  dataDirectory: './data',
  delivery: 'exactly-once',
  server: { enabled: false },
  models: { encoder: { directory: 'node_modules/labelstream/models/static-text-encoder' } },
  routes: [{ name: 'news', from: 'text', steps: [{ name: 'cluster', task: 'text-features', model: 'encoder', collection: 'news' }] }],
  collections: [{ name: 'news', eps: 0.3, minPoints: 5 }],
};
// @ts-expect-error: there is no such delivery.
export const wrong: ConfigurationFile = { delivery: 'twice' };
writeFileSync('news.yaml', JSON.stringify(configuration));

const codec: Codec = await openCodec();
const event: TextEvent = { id: '1', source: 'a', occurredAt: 0, text: 'hello', language: null, collection: null, attributes: {}, tasks: [], deleted: false };
if (codec.decodeAs('TextEvent', codec.encode('TextEvent', event)).text !== 'hello') throw new Error('the codec does not give back what it was given');

const assignment: Assignment = { family: 'news', collection: 'news', generation: 'g', clusterId: 'c1', role: 'core', sequence: 1n };
const label: Pick<LabelEvent, 'itemId' | 'revision' | 'result'> = {
  itemId: 'a/1', revision: { epoch: 1, number: 1n }, result: { 'labelstream.v1.Assignment': assignment },
};
const merged: ClusterEvent = {
  id: 'e', family: 'news', collection: 'news', epoch: 1, generation: 'g', sequence: 2n, index: 0, type: 'merged', survivor: 'c2', retired: ['c1'], minted: [],
  sizes: [], name: null, cause: null,
};
const resolver: ClusterResolver = createClusterResolver();
resolver.applyLabel(label);
resolver.applyClusterEvent(merged);
const items: readonly ResolvedItem[] = createClusterResolver(resolver.save()).items();
if (items[0]?.clusterId !== 'c2') throw new Error('the resolver does not follow a merge');
`;

const typeCheck = ['--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'];

/** Of the clone's block one line is the packing; the other, which installs the tools, has run before this script. */
function pack(readme: readonly Block[]): Packed {
  const makes = readme.find(({ text, marks }) => marks.get('needs') === 'a fresh clone' && text.includes('npm pack'));
  if (makes?.text !== 'npm ci && npm pack') throw new Error('the README does not say how the package is made');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root).stdout) as readonly Packed[];
  if (packed === undefined) throw new Error('npm pack made nothing');
  return packed;
}

/** Programs of a user's own: one in strict TypeScript, the clustering and the indexer of the documents. */
function checkPrograms(): number {
  run('npm', ['pkg', 'set', 'type=module'], folder);
  const tools = ['@types/node', 'typescript'].map((name) => `${name}@${manifest.devDependencies[name] ?? 'latest'}`);
  run('npm', ['install', ...tools], folder);
  write('use.ts', typedProgram);
  // The README has copied them and said what to change.
  for (const name of ['indexer.ts', 'clustering.ts']) write(name, readFileSync(join(folder, 'examples', name), 'utf8'));
  // As its first lines say.
  write('plugin.ts', readFileSync(join(folder, 'node_modules/labelstream/examples/plugins/colours/plugin.ts'), 'utf8').replace('../../../src/plugin.ts', 'labelstream/plugin'));
  run('npx', ['tsc', ...typeCheck, '--outDir', 'out', 'use.ts', 'clustering.ts', 'indexer.ts', 'plugin.ts'], folder);
  for (const plugin of ['./plugin.ts', './out/plugin.js']) run('npx', ['labelstream', 'models', 'verify', 'node_modules/labelstream/examples/plugins/colours/model', '--plugin', plugin], folder);
  run('npx', ['node', 'out/use.js'], folder);
  const clustered = run('npx', ['node', 'out/clustering.js', 'clustering.snapshot'], folder).stdout.trimEnd().split('\n').at(-1) ?? '';
  if (!(JSON.parse(clustered) as { readonly isSame: boolean }).isSame) throw new Error(`the clustering of the package is restored as another: ${clustered}`);
  write('texts.txt', Array.from({ length: 30 }, () => 'The match ended in a draw.\n').join(''));
  run('npx', ['labelstream', 'publish', 'text', 'texts.txt', '-c', 'news.yaml'], folder);
  run('npx', ['labelstream', 'run', '-c', 'news.yaml', '--until-idle'], folder);
  run('npx', ['node', 'out/indexer.js', 'news.yaml', 'table.json'], folder);
  const { clusterOf } = JSON.parse(readFileSync(join(folder, 'table.json'), 'utf8')) as { readonly clusterOf: Readonly<Record<string, string | null>> };
  const items = Object.keys(clusterOf).length;
  if (items !== 30 || new Set(Object.values(clusterOf)).size !== 1) throw new Error('the indexer does not find 30 equal texts in one cluster');
  return items;
}

try {
  const readme = await blocksOf('README.md');
  const packed = pack(readme);
  checkFiles(packed);
  await checkLinks(packed);
  const installing = readme.filter(({ marks }) => marks.get('needs') === 'the package');
  if (!installing.some(({ text }) => text.includes(`npm install ./${packed.filename}`))) throw new Error(`the README does not install ${packed.filename}`);
  for (const block of installing) follow(block);
  const summary = JSON.parse(run('npx', ['labelstream', 'demo', '--json'], folder).stdout) as { readonly labelsOut: number };
  if (summary.labelsOut === 0) throw new Error('the packed demo labelled nothing');
  const tutorials = (await documents()).filter((path) => path.startsWith('docs/tutorials/'));
  const followed = [...readme, ...(await Promise.all(tutorials.map(blocksOf))).flat()].filter(isFollowed);
  for (const block of followed) follow(block);
  const items = checkPrograms();
  console.log(`the package works: ${summary.labelsOut} labels in the demo, ${followed.length} blocks of the documents, ${items} items in the indexer's table`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
