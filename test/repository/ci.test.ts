// What contributors are told to run is what has to pass.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, matchesGlob } from 'node:path';
import { expect, test } from 'vitest';
import { brokerTests } from '../../vitest.config.ts';
import { root } from './documents.ts';

const scriptsIn = (text: string): readonly string[] => [...text.matchAll(/\bnpm (?:run )?([a-z:]+)/g)].map(([, script]) => script ?? '');
const long = ['bench', 'test:crash', 'test:full', 'test:fuzz'];

test('.ci/run runs every script of CONTRIBUTING.md but the long ones, and the tests with samples last', async () => {
  const [contributing, ci] = await Promise.all(['CONTRIBUTING.md', '.ci/run'].map((file) => readFile(join(root, file), 'utf8')));
  const named = contributing!.split('\n').filter((line) => line.startsWith('| `npm')).flatMap((line) => scriptsIn(line.split('|')[1] ?? ''));
  const run = scriptsIn(ci!.split('\n').filter((line) => line.startsWith('npm ')).join('\n'));
  expect(named.length).toBeGreaterThan(6);
  expect(named.filter((script) => !run.includes(script)).sort()).toEqual(long);
  expect(run.filter((script) => long.includes(script))).toEqual([]);
  expect(run.at(-1)).toBe('test:integration');
});

/** Whether it, or what it imports from the tests, reads how large it is to be. */
async function hasFullScale(file: string, seen = new Set<string>()): Promise<boolean> {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = await readFile(join(root, file), 'utf8');
  if (/process\.env\['LABELSTREAM_TEST_SCALE'\]/.test(text)) return true;
  const imported = [...text.matchAll(/from '(\.[^']+\.ts)'/g)].map(([, specifier = '']) => join(dirname(file), specifier)).filter((path) => path.startsWith('test/'));
  for (const path of imported) if (await hasFullScale(path, seen)) return true;
  return false;
}

/** Of a script, each run of the test runner at full scale: with a broker or without, and parts of paths, one of which a test file has to contain. */
function fullRunsIn(script: string): readonly { readonly withBroker: boolean; readonly paths: readonly string[] }[] {
  return script.split(' && ').filter((command) => command.startsWith('LABELSTREAM_TEST_SCALE=full ')).map((command) => {
    const [before = '', after = ''] = command.split(' vitest run');
    return { withBroker: before.endsWith(' LABELSTREAM_TEST_BROKER=yes'), paths: after.split(' ').filter((path) => path !== '') };
  });
}

test('every test that has a full scale is run at it by a script, the crash tests by test:crash, and all of them by test:full', async () => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> };
  const files = (await readdir(join(root, 'test'), { recursive: true })).filter((entry) => entry.endsWith('.test.ts')).map((entry) => join('test', entry)).sort();
  const isRunBy = (file: string, names: readonly string[]): boolean =>
    names.flatMap((name) => fullRunsIn(scripts[name] ?? '')).some(({ withBroker, paths }) => withBroker === brokerTests.some((glob) => matchesGlob(file, glob)) && paths.some((path) => file.includes(path)));
  const large: string[] = [];
  for (const file of files) if (await hasFullScale(file)) large.push(file);
  expect(large).toEqual(expect.arrayContaining(['test/clustering/fuzz.test.ts', 'test/crash/crash.test.ts', 'test/service/kafka-outages.test.ts']));
  expect(large.filter((file) => file.startsWith('test/crash/') && !isRunBy(file, ['test:crash']))).toEqual([]);
  expect(scriptsIn(scripts['test:full'] ?? '')).toEqual(['test:fuzz', 'test:crash']);
  expect(large.filter((file) => !isRunBy(file, ['test:fuzz', 'test:crash', 'test:full']))).toEqual([]);
});
