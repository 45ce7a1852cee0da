// `npm run demo:kafka` where its broker cannot be had: what is missing, and what to do.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository, withDirectory } from './program.ts';

/** Nothing is on the path but what is in the directory, and no jars were fetched. */
async function demoIn(directory: string): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const environment = { PATH: directory, HOME: directory, LABELSTREAM_TEST_CACHE: join(directory, 'cache') };
  const child = spawn(process.execPath, [join(repository, 'scripts/demo-kafka.ts')], { cwd: repository, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((ended) => child.on('close', ended));
  return { code, stdout, stderr };
}

const remedy = 'Install Java 17 or newer and Maven, or start Docker; without them `npm run demo` shows the same on the embedded log.';

test.each([
  ['Java', undefined, 'Java 17 or newer is missing'],
  ['a newer Java', '#!/bin/sh\necho \'openjdk version "11.0.2"\' >&2\n', 'Java is 11, 17 or newer is needed'],
  ['Maven', '#!/bin/sh\necho \'openjdk version "21.0.2"\' >&2\n', 'Maven (mvn) is missing'],
] as const)('without %s it says so in one line, with a remedy', async (_what, java, missing) => {
  await withDirectory(async (directory) => {
    if (java !== undefined) await writeFile(join(directory, 'java'), java, { mode: 0o755 });
    const { code, stdout, stderr } = await demoIn(directory);
    expect([code, stdout]).toEqual([1, '']);
    const said = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('starting Kafka'));
    expect(said).toEqual([`labelstream: there is no Kafka for the demo: ${missing}, and no container engine answers. ${remedy}`]);
  });
});
