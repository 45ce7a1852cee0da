// The indexer of the documents: killed in the middle and started again, beside a service that is killed and started again, it ends with the same table as
// `clusters list`.
import { spawn, type ChildProcess } from 'node:child_process';
import { access, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { clustersOf, forgetItems } from '../../src/clusters-of.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { topics } from '../../src/core/topics.ts';
import { objects, succeed, textsConfiguration, topicContents, withLog, withRun, writeEncoder } from '../cli/fixtures.ts';
import { movingTexts, publishTexts as publish } from './moving-texts.ts';
import { repository, withDirectory, writeConfiguration } from './program.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 41);

/** The indexer as a program of somebody else's, with a `labelstream` of its own that notes each call, and hangs where the file `hang` names its topic. */
async function writeIndexer(directory: string): Promise<void> {
  const source = await readFile(join(repository, 'examples/indexer.ts'), 'utf8');
  await writeFile(join(directory, 'indexer.ts'), source.replace('../src/index.ts', join(repository, 'src/index.ts')));
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }\n');
  const labelstream = join(directory, 'node_modules/labelstream');
  await mkdir(join(labelstream, 'bin'), { recursive: true });
  await writeFile(join(labelstream, 'package.json'), '{ "type": "module" }\n');
  const program = `import { appendFileSync, existsSync, readFileSync } from 'node:fs';
const topic = process.argv[3];
appendFileSync('${directory}/calls', process.pid + ' ' + topic + '\\n');
const hangs = existsSync('${directory}/hang') && readFileSync('${directory}/hang', 'utf8').split('\\n').includes(topic);
if (hangs) setInterval(() => undefined, 600_000);
else await import('${repository}/bin/labelstream.js');
`;
  await writeFile(join(labelstream, 'bin/labelstream.js'), program);
}

function startIndexer(directory: string, file: string): ChildProcess {
  return spawn(process.execPath, [join(directory, 'indexer.ts'), file, join(directory, 'table.json')], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function index(directory: string, file: string): Promise<Readonly<Record<string, string | null>>> {
  const code = await new Promise((ended) => startIndexer(directory, file).on('exit', ended));
  expect(code).toBe(0);
  return (JSON.parse(await readFile(join(directory, 'table.json'), 'utf8')) as { clusterOf: Record<string, string | null> }).clusterOf;
}

/** Killed when it has read all of `labels` and nothing of `cluster-events`. */
async function killIndexer(directory: string, file: string): Promise<void> {
  const before = await readFile(join(directory, 'table.json'), 'utf8');
  await writeFile(join(directory, 'hang'), 'cluster-events\n');
  await writeFile(join(directory, 'calls'), '');
  const indexer = startIndexer(directory, file);
  const ended = new Promise((done) => indexer.on('exit', done));
  let hanging: string | undefined;
  while (hanging === undefined) {
    await sleep(20);
    hanging = /^(\d+) cluster-events$/m.exec(await readFile(join(directory, 'calls'), 'utf8'))?.[1];
  }
  indexer.kill('SIGKILL');
  process.kill(Number(hanging), 'SIGKILL');
  await ended;
  await writeFile(join(directory, 'hang'), '');
  expect(await readFile(join(directory, 'table.json'), 'utf8')).toBe(before);
}

test(`the table of the indexer is that of the clusters (seed ${seed})`, { timeout: 300_000 }, async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    await writeIndexer(directory);
    const file = await writeConfiguration(directory, textsConfiguration('eps: 0.006, minPoints: 2'));
    const all = movingTexts(seed, 2000);
    await publish(file, all.slice(0, 1000));
    // Killed at some point of its work, with the indexer reading beside it.
    await withRun(file, () => index(directory, file));
    await publish(file, all.slice(1000, 1600));
    await succeed('run', '-c', file, '--until-idle');
    await withLog(file, (access) => forgetItems(access, ['s/i1', 's/i2', 's/i3', 's/i4', 's/i5']));
    await killIndexer(directory, file);
    await publish(file, all.slice(1600));
    await succeed('run', '-c', file, '--until-idle');
    const table = await index(directory, file);

    const listed = await objects('clusters', 'list', '-c', file);
    const sizes = new Map<string, number>();
    for (const id of Object.values(table)) if (id !== null) sizes.set(id, (sizes.get(id) ?? 0) + 1);
    expect(Object.fromEntries(sizes)).toEqual(Object.fromEntries(listed.map(({ id, size }) => [id, size])));
    const ids = [...new Set(all.map((event) => itemIdOf(event)))];
    const places = await withLog(file, async (access) => {
      const view = await clustersOf(access, new AbortController().signal);
      return Object.fromEntries(ids.flatMap((id) => view.item(id).value.map(({ clusterId }) => [id, clusterId])));
    });
    expect(table).toEqual(places);

    // What the table has been through.
    const types = (await topicContents(file, topics.clusterEvents)).map(({ value }) => (value as { type: string }).type);
    for (const type of ['emerged', 'merged', 'split', 'dissolved']) expect(types.filter((each) => each === type).length, type).toBeGreaterThan(0);
    expect(listed.length).toBeGreaterThan(1);
    console.log(`${ids.length} items, ${listed.length} clusters, ${types.filter((type) => type === 'merged').length} merges, ${types.filter((type) => type === 'split').length} splits`);
  });
});

test('a table that cannot be read is not taken for a first start', async () => {
  await withDirectory(async (directory) => {
    await writeIndexer(directory);
    const table = join(directory, 'table.json');
    await symlink('table.json', table);
    const code = await new Promise((ended) => startIndexer(directory, 'none.yaml').on('exit', ended));
    expect(code).toBe(1);
    expect(await readlink(table)).toBe('table.json');
    await expect(access(join(directory, 'calls'))).rejects.toThrow('ENOENT');
  });
});
