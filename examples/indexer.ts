// An indexer: keeps the table item -> cluster in a file, by following `labels` and `cluster-events`. Each run reads on from where the last one stopped, up
// to the end as it is then: `node indexer.ts CONFIGURATION TABLE`. In a program of your own, or in a copy of this one, the
// import is from 'labelstream'.
import { spawn } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClusterResolver, openCodec } from '../src/index.ts';

type Table = { positions: Record<string, Record<string, string>>; resolver?: string; clusterOf: Record<string, string | null> };

const [configuration = '', file = ''] = process.argv.slice(2);
const table = await readFile(file, 'utf8').then((text) => JSON.parse(text) as Table, emptyTable);
const codec = await openCodec();
const resolver = createClusterResolver(table.resolver);

// The topics may be read in any order relative to each other, and any record again: the resolver orders what it is told by its sequence.
await follow('labels', (value) => {
  resolver.applyLabel(codec.decodeAs('LabelEvent', value));
});
await follow('cluster-events', (value) => {
  resolver.applyClusterEvent(codec.decodeAs('ClusterEvent', value));
});

// Positions and table change together, or not at all: one file, replaced by a rename. A run that is killed before it has changed nothing.
const clusterOf = Object.fromEntries(resolver.items().map(({ itemId, clusterId }) => [itemId, clusterId]));
await writeFile(`${file}.new`, JSON.stringify({ positions: table.positions, resolver: resolver.save(), clusterOf }));
await rename(`${file}.new`, file);

/** Only where there is none yet: one that cannot be read must not be replaced by a new one. */
function emptyTable(error: NodeJS.ErrnoException): Table {
  if (error.code !== 'ENOENT') throw error;
  return { positions: {}, clusterOf: {} };
}

/** The program of the package itself: no path needs to lead to it. */
function labelstream(...parameters: readonly string[]) {
  const program = fileURLToPath(new URL('bin/labelstream.js', import.meta.resolve('labelstream/package.json')));
  return spawn(process.execPath, [program, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function follow(topic: string, apply: (value: Buffer) => void): Promise<void> {
  const positions = (table.positions[topic] ??= {});
  const from = Object.entries(positions).flatMap(([partition, position]) => ['--from', `${partition}:${position}`]);
  const child = labelstream('tail', topic, '-c', configuration, '--from-start', ...from, '--until-end', '--encoded');
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const record = JSON.parse(line) as { partition: number; nextPosition: string; value: string };
    apply(Buffer.from(record.value, 'base64'));
    positions[record.partition] = record.nextPosition;
  }
  if ((await ended) !== 0) throw new Error(`labelstream tail ${topic} failed`);
}
