// The life of images through the real program: published, published again with other pixels and with the same ones, deleted, forgotten, come back, with
// the service killed in the middle. What consumers fold from the topics is what `clusters` shows, and what a fresh run over the same inputs comes to.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { createClusterResolver } from '../../src/clustering/alias-resolver.ts';
import { openCodec } from '../../src/codec/codec.ts';
import type { ClusterEvent, LabelEvent, MediaEvent } from '../../src/core/events.generated.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { objects, succeed, withLog, withRun } from '../cli/fixtures.ts';
import { copyInputs, readLog } from '../crash/log-contents.ts';
import { writeImageModels } from '../models/image-models.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

/** Each image is in two families: all together, and each colour by itself. */
const configuration = `
dataDirectory: data
server: { enabled: false }
models:
  classifier: { directory: colour-classifier }
  encoder: { directory: colour-encoder }
routes:
  - name: images
    from: media
    steps:
      - { name: classify, task: image-classification, model: classifier }
      - { name: all, task: image-features, model: encoder, collection: colours }
      - { name: within, task: image-features, model: encoder, collection: 'only-\${labels.classify|none}' }
collections:
  - { name: colours, eps: 0.1, minPoints: 3 }
  - { name: 'only-\${labels.classify|none}', eps: 0.1, minPoints: 3 }
`;

/** On the way from red over green to blue in steps of 22.5 degrees, between which the distance is 0.076: a chain of such steps joins, a gap of two parts. */
type Hue = 0 | 1 | 2 | 3 | 4 | 8;
const [red, green, blue] = [0, 4, 8] as const;

function colourOf(hue: Hue): readonly [red: number, green: number, blue: number] {
  const angle = (hue * Math.PI) / 8;
  const [first, second] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))].map((share) => Math.round(share * 230));
  return hue <= green ? [first ?? 0, second ?? 0, 0] : [0, second ?? 0, first ?? 0];
}

type Told = {
  /** What the classifier says, by item. */
  readonly classes: Readonly<Record<string, string>>;
  /** Where items are from now on: `collection role`, by item and family. */
  readonly moves: Readonly<Record<string, string>>;
  /** `type collection`, sorted. */
  readonly changes: readonly string[];
};

const codec = await openCodec();
const source = 'camera';
const without = (itemId: string): string => itemId.slice(source.length + 1, -'.png'.length);

async function eventsOf(directory: string): Promise<{ readonly labels: readonly LabelEvent[]; readonly clusterEvents: readonly ClusterEvent[] }> {
  const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.clusterEvents]);
  const valuesOf = (topic: string) => (records.get(topic) ?? []).flat().map(({ value }) => value);
  return {
    labels: valuesOf(topics.labels).map((value) => codec.decodeAs('LabelEvent', value)),
    clusterEvents: valuesOf(topics.clusterEvents).map((value) => codec.decodeAs('ClusterEvent', value)),
  };
}

/** What was told since the last call. An id is an event: one that comes again is no news. */
function createListener(directory: string): () => Promise<Told> {
  const seen = new Set<string>();
  return async () => {
    const { labels, clusterEvents } = await eventsOf(directory);
    const isNew = ({ id }: { readonly id: string }): boolean => !seen.has(id) && seen.add(id).has(id);
    const classes: Record<string, string> = {};
    const moves: Record<string, string> = {};
    for (const { itemId, result } of labels.filter(isNew)) {
      if ('labelstream.v1.Classification' in result) classes[without(itemId)] = result['labelstream.v1.Classification'].labels[0]?.label ?? '';
      if (!('labelstream.v1.Assignment' in result)) continue;
      const { family, collection, role } = result['labelstream.v1.Assignment'];
      moves[`${without(itemId)} ${family === 'colours' ? 'all' : 'within'}`] = `${collection} ${role}`;
    }
    return { classes, moves, changes: clusterEvents.filter(isNew).map(({ type, collection }) => `${type} ${collection}`).sort() };
  };
}

async function writePhotos(directory: string, photos: Readonly<Record<string, Hue>>): Promise<readonly string[]> {
  await mkdir(join(directory, 'photos'), { recursive: true });
  return Promise.all(
    Object.entries(photos).map(async ([name, hue]) => {
      const [r, g, b] = colourOf(hue);
      const path = join(directory, 'photos', `${name}.png`);
      await writeFile(path, await sharp({ create: { width: 16, height: 16, channels: 3, background: { r, g, b } } }).png().toBuffer());
      return path;
    }),
  );
}

async function publish(file: string, paths: readonly string[]): Promise<void> {
  await succeed('publish', 'images', ...paths, '--source', source, '-c', file);
}

/** As a producer does it. */
function deleteImage(file: string, name: string): Promise<void> {
  const event: MediaEvent = {
    id: `${name}.png`, source, occurredAt: 0, contentType: 'image/png', content: null, tasks: [], collection: null, attributes: {}, deleted: true,
  };
  const key = itemIdOf(event);
  return withLog(file, ({ transport, partitionCountOf }) =>
    transport.append([
      { topic: topics.media, partition: partitionForKey(key, partitionCountOf(topics.media)), key: Buffer.from(key), value: codec.encode('MediaEvent', event), headers: noHeaders },
    ]),
  );
}

async function idle(file: string): Promise<void> {
  await succeed('run', '-c', file, '--until-idle');
}

type Shown = { readonly id: string; readonly collection: string; readonly members: readonly { readonly itemId: string; readonly role: string }[] };
type Place = { readonly itemId: string; readonly family: string; readonly collection: string; readonly clusterId: string | null; readonly role: string };

/** What `clusters list` and `clusters show` say. */
async function shown(file: string, items: readonly string[]): Promise<{ readonly clusters: readonly Shown[]; readonly places: readonly Place[] }> {
  const ids = (await objects('clusters', 'list', '-c', file)).map(({ id }) => String(id));
  return {
    clusters: (await objects('clusters', 'show', ...ids, '-c', file)) as Shown[],
    places: (await objects('clusters', 'show', ...items, '-c', file)) as Place[],
  };
}

/** By collection and members: ids of clusters differ from run to run. */
function withoutIds({ clusters, places }: Awaited<ReturnType<typeof shown>>) {
  const members = ({ members: all }: Shown) => all.map(({ itemId, role }) => `${without(itemId)} ${role}`).sort().join(', ');
  return {
    clusters: clusters.map((cluster) => `${cluster.collection}: ${members(cluster)}`).sort(),
    places: places.map(({ itemId, collection, role }) => `${without(itemId)} ${collection} ${role}`).sort(),
  };
}

/** What an indexer comes to. */
async function folded(directory: string): Promise<readonly string[]> {
  const resolver = createClusterResolver();
  const { labels, clusterEvents } = await eventsOf(directory);
  for (const label of labels) resolver.applyLabel(label);
  for (const event of clusterEvents) resolver.applyClusterEvent(event);
  return resolver.items().map(placeText).sort();
}

function placeText({ itemId, family, collection, clusterId }: Omit<Place, 'role'>): string {
  return `${itemId} ${family} ${collection} ${clusterId ?? 'noise'}`;
}

/** The classes by id of their label, bytes included. */
async function classLabels(directory: string): Promise<ReadonlyMap<string, string>> {
  const { records } = await readLog(join(directory, 'data'), [topics.labels]);
  const values = (records.get(topics.labels) ?? []).flat().map(({ value }) => ({ value, event: codec.decodeAs('LabelEvent', value) }));
  const found = values.filter(({ event }) => 'labelstream.v1.Classification' in event.result);
  return new Map(found.map(({ value, event }) => [event.id, value.toString('hex')]));
}

/** The inputs of the first directory run through at one go, and then what was forgotten. */
async function runFresh(directory: string, fresh: string): Promise<string> {
  await mkdir(fresh);
  await writeImageModels(fresh);
  const file = await writeConfiguration(fresh, configuration);
  const contents = await readLog(join(directory, 'data'), [topics.media, topics.features]);
  await copyInputs(contents, [topics.media], join(fresh, 'data'));
  await idle(file);
  const forgets = (contents.records.get(topics.features) ?? []).flat().filter(({ value }) => {
    const { schema, event } = codec.decode(value);
    return schema === 'ControlEvent' && 'labelstream.v1.Forget' in event.action;
  });
  expect(forgets.length).toBeGreaterThan(0);
  await withLog(file, ({ transport }) => transport.append(forgets.map(({ topic, partition, key, value, headers }) => ({ topic, partition, key, value, headers }))));
  await idle(file);
  return file;
}

test('the life of images: changed, published again, deleted, forgotten, come back', { timeout: 300_000 }, async () => {
  await withDirectory(async (directory) => {
    await writeImageModels(directory);
    const file = await writeConfiguration(directory, configuration);
    const told = createListener(directory);
    const photos = { red0: red, red1: red, red2: red, red3: red, green0: green, green1: green, green2: green, green3: green, blue0: blue, blue1: blue, blue2: blue } as const;
    await writePhotos(directory, photos);

    await publish(file, [join(directory, 'photos')]);
    await idle(file);
    const first = await told();
    expect(first.classes).toEqual(Object.fromEntries(Object.keys(photos).map((name) => [name, name.slice(0, -1)])));
    expect(Object.keys(first.moves)).toHaveLength(22);
    expect(first.changes).toEqual(['emerged colours', 'emerged colours', 'emerged colours', 'emerged only-blue', 'emerged only-green', 'emerged only-red']);

    // The id of an image is its path within the folder that was named; a file that is named itself has its own name.
    await publish(file, await writePhotos(directory, { red3: green }));
    await idle(file);
    expect(await told(), 'other pixels: a part of one cluster goes over to another').toEqual({
      classes: { red3: 'green' },
      moves: { 'red3 all': 'colours core', 'red3 within': 'only-green core' },
      changes: ['split colours'],
    });

    await publish(file, [join(directory, 'photos/blue0.png')]);
    await idle(file);
    expect(await told(), 'the same pixels: told once more, and nothing has changed').toEqual({
      classes: { blue0: 'blue' },
      moves: { 'blue0 all': 'colours core', 'blue0 within': 'only-blue core' },
      changes: [],
    });

    await deleteImage(file, 'blue1');
    await deleteImage(file, 'never-there');
    await idle(file);
    expect(await told(), 'deleted: two are too few for a cluster').toEqual({
      classes: {},
      moves: {
        'blue1 all': 'colours removed', 'blue0 all': 'colours noise', 'blue2 all': 'colours noise',
        'blue1 within': 'only-blue removed', 'blue0 within': 'only-blue noise', 'blue2 within': 'only-blue noise',
      },
      changes: ['dissolved colours', 'dissolved only-blue'],
    });

    // Three between red and green; killed at some point of its work.
    const between = await writePhotos(directory, { between1: 1, between2: 2, between3: 3 });
    await withRun(file, () => publish(file, between));
    await idle(file);
    const merged = await told();
    expect(Object.keys(merged.classes).sort()).toEqual(['between1', 'between2', 'between3']);
    expect(merged.changes.filter((change) => change.endsWith(' colours'))).toEqual(['merged colours']);

    await publish(file, await writePhotos(directory, { between2: blue }));
    await idle(file);
    const split = await told();
    expect(split.classes).toEqual({ between2: 'blue' });
    expect(split.moves).toMatchObject({ 'between2 all': 'colours core', 'blue0 all': 'colours core', 'between2 within': 'only-blue core' });
    expect(split.changes.filter((change) => change.endsWith(' colours'))).toEqual(['split colours']);

    const { stdout } = await succeed('forget', `${source}/green0.png`, `${source}/red0.png`, '-c', file);
    expect(stdout).toContain('forget sent for 2 items; 2 of them in a collection now');
    await idle(file);
    const forgotten = await told();
    expect(forgotten.classes).toEqual({});
    expect(forgotten.moves).toMatchObject({
      'green0 all': 'colours removed', 'green0 within': 'only-green removed', 'red0 all': 'colours removed', 'red0 within': 'only-red removed',
    });

    // What is published after a forget is new, and so is what is published after a deletion.
    await publish(file, ['green0', 'blue1'].map((name) => join(directory, `photos/${name}.png`)));
    await idle(file);
    const back = await told();
    expect(back.classes).toEqual({ green0: 'green', blue1: 'blue' });
    expect(back.moves).toMatchObject({ 'green0 all': 'colours core', 'blue1 all': 'colours core' });

    const items = ['red1', 'red2', 'red3', 'green0', 'green1', 'green2', 'green3', 'blue0', 'blue1', 'blue2', 'between1', 'between2', 'between3'].map((name) => `${source}/${name}.png`);
    const end = await shown(file, items);
    const absent = await runProgram('clusters', 'show', `${source}/red0.png`, '-c', file);
    expect(absent.stderr).toContain('LS_CLI_NOT_FOUND');
    expect(end.places.map(placeText).sort()).toEqual(await folded(directory));
    const members = new Map(end.clusters.flatMap(({ id, collection, members: all }) => all.map(({ itemId }) => [`${itemId} ${collection}`, id])));
    for (const { itemId, collection, clusterId } of end.places) expect(members.get(`${itemId} ${collection}`) ?? null).toBe(clusterId);

    const fresh = join(directory, 'fresh');
    expect(withoutIds(await shown(await runFresh(directory, fresh), items))).toEqual(withoutIds(end));
    expect(await classLabels(fresh)).toEqual(await classLabels(directory));
  });
});
