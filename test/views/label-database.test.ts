// Whatever statement the process dies at, the file holds what follows from the records up to its positions.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openLabelDatabase } from '../../src/views/label-database.ts';
import type { Place } from '../../src/views/label-store.ts';
import { createRandom } from '../clustering/random.ts';
import { viewDirectory } from './label-log.ts';
import { viewBatches } from './view-batches.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 23);
const kills = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 300 : 30;
const batchCount = 400;
const limits = { retentionMs: 1_000_000, itemsMax: 1_000_000 };

/** All that is in the file. */
type Content = { readonly places: readonly Place[]; readonly rows: readonly unknown[] };

function contentOf(directory: string): Content {
  const database = openLabelDatabase({ directory, ...limits });
  const { places, discarded } = database.standing();
  expect(discarded).toBeNull();
  database.close();
  const file = new DatabaseSync(join(directory, 'labels-0.sqlite'));
  const rows = ['places', 'items', 'assigned', 'merges'].map((table) => file.prepare(`SELECT * FROM ${table}`).all());
  file.close();
  return { places, rows };
}

/** What a process that nothing happened to has there. */
async function undisturbed(places: readonly Place[]): Promise<Content> {
  const directory = await viewDirectory();
  const database = openLabelDatabase({ directory, ...limits });
  for (const batch of viewBatches(seed, batchCount)) {
    const reached = places.find(({ topic }) => topic === batch.place.topic)?.sequence ?? 0n;
    if ((batch.place.sequence ?? 0n) <= reached) database.apply(batch);
  }
  database.close();
  return contentOf(directory);
}

test(`killed at any statement, entries and positions agree (seed ${seed})`, { timeout: 300_000 }, async () => {
  const random = createRandom(seed);
  let directory = await viewDirectory();
  let restarts = 0;
  for (let kill = 0; kill < kills; kill++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'kill-child.ts'), directory, String(seed), String(batchCount), String(1 + random.below(400))], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code, signal] = await new Promise<readonly [number | null, NodeJS.Signals | null]>((ended) => child.on('close', (...how) => ended(how)));
    expect([code, signal], said).toBeOneOf([[null, 'SIGKILL'], [0, null]]);
    const content = contentOf(directory);
    expect(content, `after ${kill + 1} kills`).toEqual(await undisturbed(content.places));
    if (code === 0) directory = await viewDirectory();
    else restarts += 1;
  }
  expect(restarts).toBeGreaterThan(kills / 2);
});
