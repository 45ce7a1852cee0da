/** The program on a broker of the tests: its configuration, its inputs and outputs, and what its operations server says. */
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Access } from '../../src/open-access.ts';
import type { LabelEvent } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { readRange } from '../../src/pipeline/read-range.ts';
import { topicExpectations } from '../../src/prepare-topics.ts';
import { withLog, writeEncoder } from '../cli/fixtures.ts';
import { startProgram, writeConfiguration, type RunningProgram } from './program.ts';

export type KafkaSettings = {
  readonly brokers: string;
  readonly namePrefix?: string;
  readonly producer?: 'kafkajs' | 'platformatic';
  readonly delivery?: 'exactly-once' | 'at-least-once';
  /** YAML of further settings of the transport. */
  readonly transport?: string;
  /** YAML of further settings. */
  readonly more?: string;
  /** The directory of the encoder; by default the small one of the tests. */
  readonly encoder?: string;
  /** Of the operations server. */
  readonly port?: number;
};

/** The shortest that a broker accepts by default. */
export const sessionTimeoutMs = 6_000;
const soon = `sessionTimeoutMs: ${String(sessionTimeoutMs)}, rebalanceTimeoutMs: 6000, heartbeatIntervalMs: 500, requestTimeoutMs: 3000, transactionTimeoutMs: 10000`;

/** Records through the bundled classifier, texts through a small encoder into one collection; one partition each. */
function kafkaConfiguration({ brokers, namePrefix = '', producer = 'kafkajs', delivery = 'at-least-once', transport = '', more = '', encoder = 'encoder', port }: KafkaSettings): string {
  return `
dataDirectory: data
delivery: ${delivery}
server: { ${port === undefined ? 'enabled: false' : `port: ${String(port)}`} }
transport: { kind: kafka, brokers: ["${brokers}"], namePrefix: "${namePrefix}", producer: ${producer}, partitionCount: 1, ${soon}${transport === '' ? '' : `, ${transport}`} }
models: { notes: { directory: MODELS/banknote-classifier }, encoder: { directory: ${encoder} } }
routes:
  - { name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }
  - { name: texts, from: text, steps: [{ name: embed, task: text-features, model: encoder, collection: texts }] }
collections: [{ name: texts, eps: 0.05, minPoints: 3 }]
${more}`;
}

/** In a folder of its own below the directory. */
export async function writeKafkaConfiguration(directory: string, settings: KafkaSettings, name = 'program'): Promise<string> {
  const folder = join(directory, name);
  await mkdir(folder, { recursive: true });
  await writeEncoder(folder);
  return writeConfiguration(folder, kafkaConfiguration(settings));
}

/** As `topics create` does, without a process. */
export function createTopics(file: string): Promise<void> {
  return withLog(file, ({ transport, configuration }) => transport.createTopics(topicExpectations(configuration).topics));
}

/** A live `run`; it is killed at the end of the test where it still lives. */
export async function withStarted<Result>(files: readonly string[], use: (runs: readonly RunningProgram[]) => Promise<Result>, environment: Readonly<Record<string, string>> = {}): Promise<Result> {
  const runs = files.map((file) => startProgram(['run', '-c', file], environment));
  try {
    return await use(runs);
  } finally {
    for (const run of runs) run.kill('SIGKILL');
    await Promise.all(runs.map((run) => run.finished));
  }
}

/** For an operations server that is asked before the program says where it listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

export type Health = { readonly status: string; readonly reasons: readonly string[] };

export async function healthAt(port: number): Promise<Health> {
  return (await (await fetch(`http://127.0.0.1:${String(port)}/health/ready`)).json()) as Health;
}

/** By name, summed over labels. */
export async function metricsAt(port: number): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://127.0.0.1:${String(port)}/metrics`);
  expect(response.status).toBe(200);
  const sums = new Map<string, number>();
  for (const [, name = '', value] of (await response.text()).matchAll(/^(labelstream_\w+)(?:\{[^}]*\})? (\S+)$/gm)) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  return sums;
}

/** Of all partitions, committed records only. */
async function labelsIn({ transport, codec, partitionCountOf }: Access): Promise<readonly LabelEvent[]> {
  const labels: LabelEvent[] = [];
  for (let partition = 0; partition < partitionCountOf(topics.labels); partition += 1) {
    const { start, end } = await transport.bounds({ topic: topics.labels, partition });
    for await (const records of readRange(transport, { topic: topics.labels, partition }, { from: start, until: end }, new AbortController().signal)) {
      labels.push(...records.map(({ value }) => codec.decodeAs('LabelEvent', value)));
    }
  }
  return labels;
}

export function labelsOf(file: string): Promise<readonly LabelEvent[]> {
  return withLog(file, labelsIn);
}

export const isAssignment = ({ result }: LabelEvent): boolean => 'labelstream.v1.Assignment' in result;

export const note = { variance: 1, skewness: 2, curtosis: 3, entropy: 4 };
export const notes = (prefix: string, count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${String(index)}`, note]));
