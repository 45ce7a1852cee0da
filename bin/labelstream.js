#!/usr/bin/env node
// In a package the program is compiled; in the repository Node runs the TypeScript source itself.
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (!(major > 24 || (major === 24 && minor >= 6) || (major === 22 && minor >= 22))) {
  console.error(`labelstream needs Node ^22.22 || >=24.6; this is ${process.version}. In the repository: npm exec labelstream.`);
  process.exit(1);
}
// Half of a short command's time would go into compiling the program anew.
nodeModule.enableCompileCache();
const source = new URL('../src/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
