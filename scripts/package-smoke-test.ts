// Packs the package, installs it into an empty folder as a user would, runs its demo there and imports what it exports.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'labelstream-package-'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly devDependencies: Readonly<Record<string, string>> };

function run(command: string, parameters: readonly string[], cwd: string): string {
  console.log(`$ ${command} ${parameters.join(' ')}`);
  return execFileSync(command, parameters, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

try {
  run('npm', ['run', '--silent', 'build'], root);
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root)) as readonly { readonly filename: string; readonly size: number }[];
  if (packed === undefined) throw new Error('npm pack made nothing');
  console.log(`packed ${packed.filename}, ${packed.size} bytes`);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  writeFileSync(join(folder, '.npmrc'), 'onnxruntime-node-install=skip\n');
  run('npm', ['install', '--no-audit', '--no-fund', `./${packed.filename}`, `node@${manifest.devDependencies['node'] ?? '24'}`], folder);
  const summary = JSON.parse(run('npm', ['exec', '--', 'labelstream', 'demo', '--json'], folder)) as { readonly labelsOut: number };
  if (summary.labelsOut === 0) throw new Error('the packed demo labelled nothing');
  writeFileSync(join(folder, 'use.js'), "import { createClusterResolver } from 'labelstream';\nif (createClusterResolver().clusterOf('a/b') !== undefined) process.exit(1);\n");
  run('npm', ['exec', '--', 'node', 'use.js'], folder);
  console.log(`the package works: ${summary.labelsOut} labels`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
