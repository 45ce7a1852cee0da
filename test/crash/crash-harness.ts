/**
 * Drives the real program through kills: publish, start, kill -9 at a chosen place, start again; then lets it finish and compares what is in
 * its topics with an undisturbed run and with an offline fold (SEMANTICS.md, "What tests compare").
 */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openCodec, type Codec } from '../../src/codec/codec.ts';
import { loadConfiguration, type Configuration } from '../../src/config/load.ts';
import { forgetItems } from '../../src/clusters-of.ts';
import { openAccess, type Access } from '../../src/open-access.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { demoRecords, demoTexts } from '../../src/cli/demo/demo-data.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { parametersRecord } from '../../src/stages/cluster/control-records.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { pino } from 'pino';

export const repository = resolve(import.meta.dirname, '../..');
export const group = 'crash';
const families = ['crash-texts', 'crash-${labels.topic|other}'] as const;

export type Conditions = {
  readonly delivery: Delivery;
  /** How soon a record that holds others back is parked: soon where that is to happen, never for what such a run is compared with. */
  readonly holdMsMax: number;
  readonly partitionCount?: number;
  /** Of what each item's second collection keeps; all by default. */
  readonly windowItems?: number;
};

function configurationText(conditions: Conditions): string {
  return `
dataDirectory: .
server: { enabled: false }
transport: { kind: log, partitionCount: ${conditions.partitionCount ?? 2}, segmentBytes: 16384, journalBytes: 8192 }
${pipelineText(conditions)}`;
}

/** What is the same on every transport. */
export function pipelineText({ delivery, holdMsMax, windowItems }: Conditions): string {
  const window = windowItems === undefined ? '' : `, window: { itemsMax: ${windowItems} }`;
  return `
delivery: ${delivery}
group: ${group}
log: { level: info }
models:
  encoder: { directory: ${join(repository, 'models/static-text-encoder')} }
  topics: { directory: ${join(repository, 'models/topic-classifier')} }
  notes: { directory: ${join(repository, 'models/banknote-classifier')} }
routes:
  - name: texts
    from: text
    steps:
      - { name: topic, task: text-classification, model: topics }
      - { name: all, task: text-features, model: encoder, collection: ${families[0]} }
      - { name: each, task: text-features, model: encoder, collection: "${families[1]}" }
  - name: notes
    from: record
    steps: [{ name: predict, task: record-prediction, model: notes }]
collections:
  - { name: ${families[0]}, eps: 0.25, minPoints: 4, window: { itemsMax: 250 } }
  - { name: "${families[1]}", eps: 0.25, minPoints: 4${window} }
extract: { holdMsMax: ${holdMsMax} }
cluster: { snapshotRecords: 25 }
output: { recordsMax: 12, lingerMs: 0 }
`;
}

export type Harness = {
  readonly directory: string;
  readonly configurationFile: string;
  readonly configuration: Configuration;
  readonly codec: Codec;
};

export async function prepare(directory: string, conditions: Conditions): Promise<Harness> {
  return prepareWith(directory, configurationText(conditions));
}

/** @param text of the configuration; relative paths start at the directory. */
export async function prepareWith(directory: string, text: string): Promise<Harness> {
  await mkdir(directory, { recursive: true });
  const configurationFile = join(directory, 'labelstream.yaml');
  await writeFile(configurationFile, text);
  const loaded = await loadConfiguration({ file: configurationFile, environment: {}, assignments: [], tasks: [...tasks.values()] });
  if (loaded.configuration === undefined) throw new Error(JSON.stringify(loaded.mistakes));
  return { directory, configurationFile, configuration: loaded.configuration, codec: await openCodec() };
}

export async function openSilently({ configuration }: Harness): Promise<Access> {
  return openAccess(configuration, await createProcessContext(pino({ level: 'silent' })), 'any');
}

async function withAccess(harness: Harness, use: (access: Access) => Promise<void>): Promise<void> {
  const access = await openSilently(harness);
  try {
    await use(access);
  } finally {
    await access.close();
  }
}

export function publishMore(harness: Harness, round: number, textCount: number): Promise<void> {
  return withAccess(harness, (access) => publishRound(access, round, textCount));
}

/** New texts and records; some replace or delete items of before, so that clusters shrink, too. */
export async function publishRound({ codec, partitionCountOf, transport }: Access, round: number, textCount: number): Promise<void> {
  const record = (topic: string, itemId: string, value: Buffer): OutputRecord => ({
    topic, partition: partitionForKey(itemId, partitionCountOf(topic)), key: Buffer.from(itemId), value, headers: noHeaders,
  });
  const texts = demoTexts(textCount, round).map((event, index) => {
    const id = index % 7 === 6 ? `t${Math.max(0, round - 1)}-${index}` : `t${round}-${index}`;
    const text = { ...event, id, deleted: index % 11 === 10 };
    return record(topics.text, itemIdOf(text), codec.encode('TextEvent', text));
  });
  const notes = demoRecords(Math.ceil(textCount / 4), round).map((event) =>
    record(topics.record, itemIdOf(event), codec.encode('RecordEvent', { ...event, id: `${round}-${event.id}` })),
  );
  await transport.append([...texts, ...notes, record(topics.text, 'garbage', Buffer.from(`garbage ${round}`))]);
}

export function changeParameters(harness: Harness, eps: number): Promise<void> {
  return withAccess(harness, (access) => appendParameters(access, eps));
}

/** One record for each family whose outputs are a label event for nearly every item: far more than a transaction takes. */
export function appendParameters({ codec, partitionCountOf, transport }: Access, eps: number): Promise<void> {
  return transport.append(families.map((family) => parametersRecord(codec, partitionCountOf(topics.features), family, { eps, minPoints: null })));
}

export function forgetItem(harness: Harness, itemId: string): Promise<void> {
  return withAccess(harness, async (access) => {
    await forgetItems(access, [itemId]);
  });
}

/** The steps that the routes have for an input, as `route/step`; none where no event can be read. */
export function stepsOf(codec: Codec, record: ConsumedRecord): readonly string[] {
  let decoded;
  try {
    decoded = codec.decode(record.value);
  } catch {
    return [];
  }
  if (decoded.schema === 'RecordEvent') return ['notes/predict'];
  if (decoded.schema !== 'TextEvent') return [];
  // Of a deleted item only the collections are told.
  return decoded.event.deleted ? ['texts/all', 'texts/each'] : ['texts/topic', 'texts/all', 'texts/each'];
}

export type Ended = { readonly restored: Restored } & (
  | { readonly how: 'idle' }
  | { readonly how: 'killed'; readonly where: string }
  | { readonly how: 'failed'; readonly output: string }
);

/** Partitions of CLUSTER whose state the run brought back, by what from. */
export type Restored = { readonly fromSnapshots: number; readonly fromTheLogAlone: number };

/** @param kill `phase:count` for the kill switch; a number of milliseconds for a kill from outside; nothing: runs until idle. */
export async function runProgram(harness: Harness, kill: string | number | undefined): Promise<Ended> {
  const preload = typeof kill === 'string' ? ['--import', join(import.meta.dirname, 'kill-switch.ts')] : [];
  const child = spawn(process.execPath, [...preload, join(repository, 'src/main.ts'), 'run', '-c', harness.configurationFile, '--until-idle'], {
    env: { ...process.env, ...(typeof kill === 'string' ? { LABELSTREAM_TEST_KILL: kill } : {}) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const timer = typeof kill === 'number' ? setTimeout(() => child.kill('SIGKILL'), kill) : undefined;
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.on('close', (exitCode, exitSignal) => {
      done({ code: exitCode, signal: exitSignal });
    });
  });
  clearTimeout(timer);
  const restored = restoredIn(output);
  if (signal === 'SIGKILL') return { how: 'killed', where: /KILLED (.*)/.exec(output)?.[1] ?? 'from outside', restored };
  return code === 0 ? { how: 'idle', restored } : { how: 'failed', output, restored };
}

function restoredIn(output: string): Restored {
  const sequences = [...output.matchAll(/"snapshotSequence":"(\w+)".*"msg":"state restored"/g)].map(([, sequence]) => sequence);
  const fromTheLogAlone = sequences.filter((sequence) => sequence === 'none').length;
  return { fromSnapshots: sequences.length - fromTheLogAlone, fromTheLogAlone };
}
