// The view of labels says what a consumer finds who reads everything: whatever is told twice or late, wherever it is cut off, and whatever becomes of its file.
import { open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { ClusterEvent, LabelEvent } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createRandom, type Random } from '../clustering/random.ts';
import { assigned, changed, classified, originAt } from './label-fixtures.ts';
import { answerAtEnd, createLabelLog, expectedLabels, openView, retentionMs, shown, viewDirectory, type LabelLog } from './label-log.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 7);
const runs = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 60 : 6;
const items = ['s/a', 's/b', 's/c/d', 's/e f', 's/g', 's/%2F', 's/h', 't/a'];

/** What may be told next; equal causes tell the same. */
function createTeller(random: Random, log: LabelLog) {
  const labels: LabelEvent[] = [];
  const changes: ClusterEvent[] = [];
  const contents = new Map<string, LabelEvent>();
  let retired = 0;
  const once = (event: LabelEvent): LabelEvent => {
    const known = contents.get(event.id) ?? event;
    contents.set(event.id, known);
    return known;
  };
  const anyOrigin = () => originAt(random.below(40), random.below(2));
  const aLabel = (): LabelEvent => {
    const [itemId, origin] = [random.pick(items), anyOrigin()];
    if (random.chance(0.5)) {
      const [step, number] = [random.pick(['x', 'y']), BigInt(1 + random.below(2))];
      return once(classified(itemId, origin, `${step} ${origin.partition} ${origin.sequence} ${number}`, { routeStep: `route/${step}`, revision: { epoch: 0, number } }));
    }
    const role = random.pick(['core', 'border', 'noise', 'removed'] as const);
    const family = random.pick(['f', 'g']);
    const clusterId = role === 'noise' || role === 'removed' ? null : `c${random.below(12)}`;
    return once(assigned(itemId, origin, { epoch: random.below(2), number: BigInt(random.below(60)) }, { family, collection: `${family}-${random.pick(['1', '2'])}`, role, clusterId }));
  };
  const aChange = (): ClusterEvent => {
    const family = random.pick(['f', 'g']);
    const at = { epoch: random.below(2), sequence: BigInt(random.below(60)) };
    const fields = { family, collection: `${family}-${random.pick(['1', '2'])}` };
    if (random.chance(0.15)) return changed('reset', { epoch: random.below(2), sequence: BigInt(random.below(20)) }, fields);
    // An id is retired once.
    if (retired < 11 && random.chance(0.5)) return changed('merged', at, { ...fields, retired: [`c${retired++}`], survivor: `c${retired + random.below(12 - retired)}` });
    return changed('emerged', at, { ...fields, minted: ['c99'] });
  };
  return (): void => {
    log.clock.passMs(random.chance(0.01) ? retentionMs + random.below(10) : random.below(1000));
    if (random.chance(0.8)) {
      const event = labels.length > 0 && random.chance(0.2) ? random.pick(labels) : aLabel();
      labels.push(event);
      log.tellLabel(event);
    } else {
      const event = changes.length > 0 && random.chance(0.2) ? random.pick(changes) : aChange();
      changes.push(event);
      log.tellChange(event);
    }
  };
}

test.each(Array.from({ length: runs }, (_, run) => seed + run))('it is what follows from all that was told, however often it is cut off (seed %i)', async (runSeed) => {
  const random = createRandom(runSeed);
  const log = createLabelLog({ labels: 3, clusterEvents: 2 }, () => (random.chance(0.3) ? 1 : 0));
  const directory = await viewDirectory();
  const tell = createTeller(random, log);
  let found = 0;
  for (let round = 0; round < 6; round++) {
    for (let count = random.below(400); count > 0; count--) tell();
    const view = openView(log, directory);
    if (random.chance(0.6)) {
      await systemClock.sleep(random.below(60));
    } else {
      await answerAtEnd(log, view, 'none');
      for (const itemId of items) {
        const answer = shown(await view.labelsOfItem(itemId));
        expect(answer, `${itemId} in round ${round}`).toEqual(expectedLabels(log, itemId));
        expect(shown(await view.labelsOfInput(itemId))).toEqual(answer);
        found += answer.length;
      }
    }
    await view.close();
  }
  const view = openView(log, directory);
  await answerAtEnd(log, view, 'none');
  for (const itemId of items) {
    expect(shown(await view.labelsOfItem(itemId)), itemId).toEqual(expectedLabels(log, itemId));
    found += expectedLabels(log, itemId).length;
  }
  expect(found).toBeGreaterThan(0);
  expect(view.told.filter(([event]) => event === 'failed' || event === 'passedOver')).toEqual([]);
});

async function told(): Promise<{ readonly log: LabelLog; readonly directory: string; readonly file: string }> {
  const log = createLabelLog({ labels: 2, clusterEvents: 1 });
  const directory = await viewDirectory();
  for (let index = 0; index < 500; index++) {
    log.clock.passMs(1);
    log.tellLabel(classified(`s/${index}`, originAt(index), 'dog'));
    log.tellLabel(assigned(`s/${index}`, originAt(index), { epoch: 0, number: BigInt(index) }, { clusterId: 'c1' }));
  }
  log.tellChange(changed('merged', { epoch: 0, sequence: 600n }, { retired: ['c1'], survivor: 'c2' }));
  const view = openView(log, directory);
  await answerAtEnd(log, view, 's/0');
  await view.close();
  return { log, directory, file: join(directory, 'labels-0.sqlite') };
}

const both = [{ id: 's/3 dog', currentClusterId: undefined }, { id: 's/3 f 0 3', currentClusterId: 'c2' }];

async function overwrite(file: string, at: number, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

test.each<[string, (file: string) => Promise<void>]>([
  ['garbage', (file) => writeFile(file, 'no database at all, and longer than its head would be'.repeat(100))],
  ['empty pages', (file) => overwrite(file, 8192, Buffer.alloc(8192))],
  ['cut off', async (file) => truncate(file, Math.floor((await stat(file)).size / 2 / 4096) * 4096)],
  ['of another format', (file) => overwrite(file, 60, Buffer.from([0, 0, 0, 99]))],
  ['one letter of a label', async (file) => {
    const handle = await open(file, 'r+');
    const content = await handle.readFile();
    await handle.write(Buffer.from('c'), 0, 1, content.indexOf('"label":"dog"') + 9);
    await handle.close();
  }],
])('a file that is damaged (%s) is made again from the log', async (_what, damage) => {
  const { log, directory, file } = await told();
  await damage(file);
  const view = openView(log, directory);
  expect(shown(await answerAtEnd(log, view, 's/3'))).toEqual(both);
  expect(view.told.filter(([event]) => event === 'rebuilding')).toHaveLength(1);
});

test('a file that is missing is made again, and one that is whole is gone on with', async () => {
  const { log, directory } = await told();
  const again = openView(log, directory);
  expect(shown(await answerAtEnd(log, again, 's/3'))).toEqual(both);
  expect(again.told).toEqual([]);
  await again.close();
  const other = openView(log, join(directory, 'other'));
  expect(shown(await answerAtEnd(log, other, 's/3'))).toEqual(both);
  expect(other.told.filter(([event]) => event === 'built')).toHaveLength(1);
});

test('damage that shows while it is open is no end: it is made again', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const directory = await viewDirectory();
  const file = join(directory, 'labels-0.sqlite');
  // More than its cache holds.
  for (let index = 0; index < 400; index++) log.tellLabel(classified(`s/${index}`, originAt(index), `${index} ${'dog'.repeat(20_000)}`, { id: `${index}` }));
  const former = openView(log, directory);
  await answerAtEnd(log, former, 's/3');
  await former.close();
  const view = openView(log, directory);
  expect(shown(await answerAtEnd(log, view, 's/3'))).toEqual([{ id: '3', currentClusterId: undefined }]);
  await overwrite(file, 4096, Buffer.alloc((await stat(file)).size - 4096, 7));
  const answers = await Promise.allSettled(Array.from({ length: 400 }, (_, index) => view.labelsOfItem(`s/${index}`)));
  expect(answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))[0]).toMatchObject({ code: 'LS_VIEW_DAMAGED' });
  await vi.waitFor(() => expect(view.told.map(([event]) => event)).toContain('rebuilding'));
  for (const index of [0, 3, 399]) expect(shown(await answerAtEnd(log, view, `s/${index}`))).toEqual([{ id: String(index), currentClusterId: undefined }]);
});

test('until it is built it says how far it is', async () => {
  const { log } = await told();
  const view = openView(log, await viewDirectory());
  await expect(view.labelsOfItem('s/3')).rejects.toMatchObject({ code: 'LS_VIEW_BUILDING', retryable: true });
  expect(shown(await answerAtEnd(log, view, 's/3'))).toEqual(both);
});

test('of another incarnation of the topic nothing of the former counts, also where it is made anew meanwhile', async () => {
  const { log, directory } = await told();
  const view = openView(log, directory);
  await answerAtEnd(log, view, 's/3');
  log.broker.makeAnew(topics.labels);
  log.tellLabel(classified('s/3', originAt(1), 'cat'));
  log.tellLabel(classified('s/4', originAt(1), 'cat'));
  await view.close();
  const again = openView(log, directory);
  expect(shown(await answerAtEnd(log, again, 's/3'))).toEqual([{ id: 's/3 cat', currentClusterId: undefined }]);
  expect(again.told.filter(([event]) => event === 'rebuilding')).toHaveLength(1);
});

test('a log that ends before the view, as one restored from an older copy, is read from its beginning', async () => {
  const { directory } = await told();
  const older = createLabelLog({ labels: 2, clusterEvents: 1 });
  older.tellLabel(classified('s/3', originAt(1), 'cat'));
  const view = openView(older, directory);
  expect(shown(await answerAtEnd(older, view, 's/3'))).toEqual([{ id: 's/3 cat', currentClusterId: undefined }]);
});

test('what retention took before it was read is told, until it would be past its time anyway', async () => {
  const { log, directory } = await told();
  const place = { topic: topics.labels, partition: 0 };
  const read = log.broker.records(place).length;
  for (let index = 0; index < 50; index++) log.tellLabel(classified(`s/${index}`, originAt(900 + index), 'cat'));
  log.broker.truncate(place, read + 5);
  const view = openView(log, directory);
  const { heldAt } = await answerAtEnd(log, view, 's/3');
  const since = String(log.broker.records(place)[read]?.sequence);
  expect(heldAt.map(({ incompleteSince }) => incompleteSince)).toEqual([since, null, null]);
  expect(view.told.filter(([event]) => event === 'incomplete')).toHaveLength(1);
  // Made again from a log that does not begin with its first record.
  expect((await answerAtEnd(log, openView(log, join(directory, 'new')), 's/3')).heldAt[0]?.incompleteSince).toBe('0');
  log.clock.passMs(retentionMs + 1);
  for (let index = 0; index < 50; index++) log.tellLabel(classified(`s/${index}`, originAt(990 + index), 'cow'));
  expect((await answerAtEnd(log, view, 's/3')).heldAt.map(({ incompleteSince }) => incompleteSince)).toEqual([null, null, null]);
});

test('two at once, as those of two processes in one directory, have a file each', async () => {
  const { log, directory } = await told();
  const views = [openView(log, directory), openView(log, directory)];
  for (const view of views) expect(shown(await answerAtEnd(log, view, 's/3'))).toEqual(both);
  expect((await readdir(directory)).filter((name) => name.endsWith('.sqlite'))).toEqual(['labels-0.sqlite', 'labels-1.sqlite']);
});

test('a directory that cannot be used stops nothing, and is tried again', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const directory = await viewDirectory();
  await writeFile(directory, 'a file');
  const view = openView(log, directory);
  await vi.waitFor(() => expect(view.told.find(([event]) => event === 'failed')?.[1]).toMatchObject({ code: 'LS_VIEW_UNAVAILABLE' }));
  await expect(view.labelsOfItem('s/3')).rejects.toMatchObject({ code: 'LS_VIEW_UNAVAILABLE', retryable: true });
  await rm(directory);
  log.tellLabel(classified('s/3', originAt(1), 'dog'));
  await vi.waitFor(async () => expect(shown(await answerAtEnd(log, view, 's/3'))).toHaveLength(1), { timeout: 10_000 });
});

test('its disk is bounded: what is past its time goes, and of more items than itemsMax the oldest', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const directory = await viewDirectory();
  const view = openView(log, directory, { itemsMax: 100 });
  const sizes: number[] = [];
  for (let round = 0; round < 12; round++) {
    for (let index = 0; index < 1000; index++) {
      log.clock.passMs(1);
      log.tellLabel(assigned(`s/${round * 1000 + index}`, originAt(index), { epoch: 0, number: BigInt(round * 1000 + index) }, { clusterId: `c${round * 1000 + index}` }));
      log.tellChange(changed('merged', { epoch: 0, sequence: BigInt(round * 1000 + index) }, { retired: [`c${round * 1000 + index}`], survivor: `d${index}` }));
    }
    await answerAtEnd(log, view, 's/0');
    log.clock.passMs(retentionMs);
    sizes.push((await stat(join(directory, 'labels-0.sqlite'))).size);
  }
  expect((await view.labelsOfItem('s/11999')).labels).toHaveLength(1);
  expect((await view.labelsOfItem('s/11000')).labels).toEqual([]);
  expect(Math.max(...sizes.slice(6))).toBeLessThan(1.5 * Math.max(...sizes.slice(0, 6)));
});
