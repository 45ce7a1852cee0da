// What contributors are told to run is what has to pass.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './documents.ts';

const scriptsIn = (text: string): readonly string[] => [...text.matchAll(/\bnpm (?:run )?([a-z:]+)/g)].map(([, script]) => script ?? '');
const long = ['test:crash', 'test:fuzz'];

test('.ci/run runs every script of CONTRIBUTING.md but the long ones, and the tests with samples last', async () => {
  const [contributing, ci] = await Promise.all(['CONTRIBUTING.md', '.ci/run'].map((file) => readFile(join(root, file), 'utf8')));
  const named = contributing!.split('\n').filter((line) => line.startsWith('| `npm')).flatMap((line) => scriptsIn(line.split('|')[1] ?? ''));
  const run = scriptsIn(ci!.split('\n').filter((line) => line.startsWith('npm ')).join('\n'));
  expect(named.length).toBeGreaterThan(6);
  expect(named.filter((script) => !run.includes(script)).sort()).toEqual(long);
  expect(run.filter((script) => long.includes(script))).toEqual([]);
  expect(run.at(-1)).toBe('test:integration');
});
