// Packs the package, installs it into an empty folder as a user would, runs its demo there, and writes and runs programs against what it exports.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'labelstream-package-'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly devDependencies: Readonly<Record<string, string>> };

type Packed = { readonly filename: string; readonly size: number; readonly unpackedSize: number; readonly files: readonly { readonly path: string; readonly size: number }[] };

function run(command: string, parameters: readonly string[], cwd: string): string {
  console.log(`$ ${command} ${parameters.join(' ')}`);
  return execFileSync(command, parameters, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function write(file: string, text: string): void {
  writeFileSync(join(folder, file), text);
}

/** What a user needs and nothing else; the sizes by folder, for whoever reads the log. */
function checkFiles({ files, size, unpackedSize }: Packed): void {
  const foreign = files.filter(({ path }) => !/^(bin|dist|schemas|models|examples\/images)\/|^(package\.json|README\.md|LICENSE)$/.test(path) || /\.test\.|(^|\/)(test|scripts|node_modules)\//.test(path));
  if (foreign.length > 0) throw new Error(`the package holds what no user needs: ${foreign.map(({ path }) => path).join(', ')}`);
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

try {
  run('npm', ['run', '--silent', 'build'], root);
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root)) as readonly Packed[];
  if (packed === undefined) throw new Error('npm pack made nothing');
  checkFiles(packed);
  write('package.json', '{ "private": true, "type": "module" }\n');
  write('.npmrc', 'onnxruntime-node-install=skip\n');
  const tools = ['node', '@types/node', 'typescript'].map((name) => `${name}@${manifest.devDependencies[name] ?? 'latest'}`);
  run('npm', ['install', '--no-audit', '--no-fund', `./${packed.filename}`, ...tools], folder);
  const summary = JSON.parse(run('npx', ['labelstream', 'demo', '--json'], folder)) as { readonly labelsOut: number };
  if (summary.labelsOut === 0) throw new Error('the packed demo labelled nothing');
  write('use.ts', typedProgram);
  write('indexer.ts', readFileSync(join(root, 'examples/indexer.ts'), 'utf8').replace('../src/index.ts', 'labelstream'));
  run('npx', ['tsc', ...typeCheck, '--outDir', 'out', 'use.ts', 'indexer.ts'], folder);
  run('npx', ['node', 'out/use.js'], folder);
  write('texts.txt', Array.from({ length: 30 }, () => 'The match ended in a draw.\n').join(''));
  run('npx', ['labelstream', 'publish', 'text', 'texts.txt', '-c', 'news.yaml'], folder);
  run('npx', ['labelstream', 'run', '-c', 'news.yaml', '--until-idle'], folder);
  run('npx', ['node', 'out/indexer.js', 'news.yaml', 'table.json'], folder);
  const { clusterOf } = JSON.parse(readFileSync(join(folder, 'table.json'), 'utf8')) as { readonly clusterOf: Readonly<Record<string, string | null>> };
  if (Object.keys(clusterOf).length !== 30 || new Set(Object.values(clusterOf)).size !== 1) throw new Error('the indexer does not find 30 equal texts in one cluster');
  console.log(`the package works: ${summary.labelsOut} labels in the demo, 30 items in the indexer's table`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
