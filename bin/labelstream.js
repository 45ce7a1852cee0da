#!/usr/bin/env node
// In a package the program is compiled; in the repository Node runs the TypeScript source itself.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
// The npm package `node`: in the repository its own, and where labelstream is installed the one that is installed beside it.
const brought = ['../node_modules/node/bin/node', '../../node/bin/node'].map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) => existsSync(path));
if (major > 24 || (major === 24 && minor >= 6) || (major === 22 && minor >= 22)) await start();
else if (brought !== undefined) restart(brought);
else {
  console.error(`labelstream needs Node ^22.22 || >=24.6; this is ${process.version}. Beside an installed package, \`npm install node@24\` brings one along; in the repository, \`npm ci\`.`);
  process.exitCode = 1;
}

async function start() {
  // Half of a short command's time would go into compiling the program anew.
  nodeModule.enableCompileCache();
  // Worker threads have what was compiled only where the environment says.
  const compiled = nodeModule.getCompileCacheDir();
  if (compiled !== undefined) process.env.NODE_COMPILE_CACHE ??= dirname(compiled);
  const source = new URL('../src/main.ts', import.meta.url);
  await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
}

/** With the Node that was brought along; signals and the exit code go through. */
function restart(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; this process only waits.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('close', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal === null) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
