/** Snapshots that earlier versions wrote: items as JSON. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createCounted } from './counted-search.ts';
import { asChunks, openFold, openWithItems } from './fold-harness.ts';

/** Format 1: four items of news-en with windows, one named cluster, an item of news-de without a preview, tombstones of two kinds, a second family. */
async function formerChunks(): Promise<Buffer[]> {
  const text = await readFile(new URL('snapshot-of-format-1.base64', import.meta.url), 'utf8');
  return [Buffer.from(text, 'base64')];
}

it('restores what an earlier version wrote', async () => {
  const harness = openFold();
  await harness.partition.restore(asChunks(await formerChunks()));
  const { view } = harness.partition;
  expect(view.collections()).toMatchObject([{ collection: 'news-de', itemCount: 1, clusterCount: 0 }, { collection: 'news-en', itemCount: 4, clusterCount: 1, noiseCount: 1 }]);
  expect(view.clusters()).toMatchObject([{ collection: 'news-en', name: 'line', size: 3, coreCount: 3 }]);
  expect(view.item('test/a')).toMatchObject([{ inputId: 'a', preview: 'text of a', role: 'core', origin: { topic: 'text.events', sequence: 0n, appendTime: 1000 } }]);
  expect(view.item('test/x')).toMatchObject([{ inputId: 'x', preview: null, role: 'noise', collection: 'news-de' }]);
  expect(view.tombstones('test/y')).toHaveLength(1);
  expect(view.tombstones('test/z')).toHaveLength(1);
  expect(harness.partition.due()?.atMs).toBe(6000);
  // And goes on in the format of now.
  const again = openFold();
  await again.partition.restore(asChunks(harness.partition.snapshot()));
  expect(again.partition.view.clusters()).toEqual(view.clusters());
});

it('refuses one whose items are not those of its clustering', async () => {
  const [bytes] = await formerChunks();
  const text = bytes!.toString('latin1');
  for (const [from, to] of [['"itemId":"test/b"', '"itemId":"test/B"'], ['"itemId":"test/b"', '"itemId":"test/a"'], ['"format":1', '"format":9']] as const) {
    expect(text.split(from)).toHaveLength(2);
    const changed = Buffer.from(text.replace(from, to), 'latin1');
    await expect(openFold().partition.restore(asChunks([changed])), to).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
  }
});

it('refuses a snapshot in which a collection has fewer items than its clustering', async () => {
  const harness = await openWithItems([[0, 0], [0.5, 0], [9, 9]]);
  let replaced = 0;
  const chunks = Array.from(harness.partition.snapshot(), (chunk) => {
    const text = chunk.toString('latin1');
    if (!text.includes('"clusterNames"')) return chunk;
    replaced += 1;
    return Buffer.from(text.replace('"itemCount":3', '"itemCount":2'), 'latin1');
  });
  expect(replaced).toBe(1);
  await expect(openFold().partition.restore(asChunks(chunks))).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
});

const kinds = { head: 1, collection: 3, end: 6, itemNames: 7, itemRows: 8 } as const;

function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += frames.at(-1)!.length) frames.push(Buffer.from(bytes.subarray(at, at + 5 + bytes.readUInt32BE(at))));
  return frames;
}

function jsonFrame(kind: number, value: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(value));
  const header = Buffer.alloc(5);
  header.writeUInt32BE(payload.length);
  header.writeUInt8(kind, 4);
  return Buffer.concat([header, payload]);
}

it('refuses frames with something else in them, and leaves no search open', async () => {
  const frames = framesIn((await openWithItems([[0, 0], [0.5, 0], [1, 0]])).snapshot());
  const replaced = (kind: number, value: unknown): Buffer[] => frames.map((frame) => (frame[4] === kind ? jsonFrame(kind, value) : frame));
  const rows = frames.map((frame) => Buffer.from(frame));
  rows.find((frame) => frame[4] === kinds.itemRows)!.writeUInt32LE(0xffffff, 5);
  const held = frames.slice(1, -1);
  const damaged = {
    rows,
    'a head of nothing': replaced(kinds.head, null),
    'a collection of nothing': replaced(kinds.collection, null),
    'names of nothing': replaced(kinds.itemNames, null),
    'an end of nothing': replaced(kinds.end, null),
    'a collection twice': [frames[0]!, ...held, ...held, jsonFrame(kinds.end, { frameCount: 1 + 2 * held.length })],
  };
  for (const [name, chunks] of Object.entries(damaged)) {
    const counted = createCounted(createPlainSearch);
    const { partition } = openFold({ openSearch: counted.openSearch });
    await expect(partition.restore(asChunks(chunks)), name).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
    await partition.close();
    expect(counted.searches(), name).toBe(0);
  }
});
