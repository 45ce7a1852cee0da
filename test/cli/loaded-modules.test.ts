// What a command does not work with is not loaded: told by the modules that the real process asks for, and not by the time that it takes.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, notesConfiguration, succeed, writeNotes } from './fixtures.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** Of packages and of our own: what a part of the program is known by among the modules that were loaded. */
const parts = {
  otherCommands: ['src/cli/demo/demo.ts', 'src/cli/models.ts', 'src/cli/task/task.ts', 'src/cli/forget.ts'],
  kafka: ['@platformatic/kafka', 'kafkajs', 'src/transports/kafka/kafka-transport.ts'],
  log: ['src/transports/log/'],
  server: ['fastify', 'src/server/operations-server.ts'],
  metrics: ['prom-client'],
  inference: ['onnxruntime-node', 'sharp', 'src/models/model-server.ts', 'src/models/inference.ts'],
  transformers: ['src/models/transformers/open-transformer.ts'],
  sounds: ['mpg123-decoder', 'opus-decoder', '@wasm-audio-decoders/flac', '@wasm-audio-decoders/ogg-vorbis'],
  http: ['undici', '@azure/storage-blob', '@azure/identity', 'src/hub/http-mirror.ts', 'src/references/http-content.ts'],
  registry: ['src/codec/registry/schema-registry.ts'],
  stages: ['src/stages/extract/extract-stage.ts', 'src/pipeline/runner.ts'],
  clustering: ['src/stages/cluster/cluster-stage.ts', 'src/clustering/structure/'],
  configuration: ['zod', 'yaml'],
  codec: ['avsc'],
  persons: ['pino-pretty', 'cli-progress'],
  csv: ['csv-parse'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

type Part = keyof typeof parts;

type Loaded = { readonly parts: ReadonlySet<Part>; readonly workerParts: ReadonlySet<Part>; readonly moduleCount: number };

async function loadedBy(directory: string, ...parameters: readonly string[]): Promise<Loaded> {
  const file = join(directory, `loaded-${parameters.join('-').replaceAll(/[^a-z-]/g, '')}`);
  const hook = join(import.meta.dirname, 'loaded-modules-child.ts');
  const { code, stderr } = await startProgram(parameters, { NODE_OPTIONS: `--import ${hook}`, LABELSTREAM_TEST_LOADED: file }).finished;
  expect(code, stderr).toBe(0);
  const main = await urlsIn(file);
  expect(main.some((url) => url.endsWith('/src/main.ts')), 'the hook is at work').toBe(true);
  return { parts: partsOf(main), workerParts: partsOf(await urlsIn(`${file}-workers`).catch(() => [])), moduleCount: main.length };
}

async function urlsIn(file: string): Promise<readonly string[]> {
  return (await readFile(file, 'utf8')).trim().split('\n');
}

function partsOf(urls: readonly string[]): ReadonlySet<Part> {
  const isOf = (url: string, mark: string): boolean => url.includes(mark.startsWith('src/') ? `/${mark}` : `/node_modules/${mark}/`);
  return new Set((Object.keys(parts) as Part[]).filter((part) => parts[part].some((mark) => urls.some((url) => isOf(url, mark)))));
}

const logParts = ['codec', 'configuration', 'log'];

test.for([['--version'], ['--help'], ['completion', 'bash'], ['publish', 'text', '--help']])('%j loads nothing that runs', async (parameters) => {
  await withDirectory(async (directory) => {
    const loaded = await loadedBy(directory, ...parameters);
    expect([...loaded.parts]).toEqual(parameters[0] === 'publish' ? [] : ['otherCommands']);
    // They were 2,133 when all was loaded; every command is declared, and that is all.
    expect(loaded.moduleCount).toBeLessThan(300);
  });
});

test('commands on the embedded log load the log and the codec, and the clusters where they tell of them', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await makeLog(file);
    for (const parameters of [['topics', 'check'], ['lag'], ['dlq', 'list'], ['tail', 'labels', '--from-start', '--until-end'], ['groups', 'reset', '--topic', 'text.events', '--to', 'earliest', '--dry-run']]) {
      const loaded = await loadedBy(directory, ...parameters, '-c', file);
      expect([...loaded.parts].sort(), parameters.join(' ')).toEqual(logParts);
    }
    const { parts: clusters } = await loadedBy(directory, 'clusters', 'list', '-c', file);
    expect([...clusters].sort()).toEqual(['clustering', ...logParts]);
    const notes = await writeNotes(directory, 'notes.csv', 3);
    const { parts: publishing } = await loadedBy(directory, 'publish', 'records', notes, '--id-column', 'id', '-c', file);
    expect([...publishing].sort()).toEqual(['codec', 'configuration', 'csv', 'log']);
  });
});

test('a run loads what its configuration asks for, and its workers what their models are', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await succeed('publish', 'records', await writeNotes(directory, 'notes.csv', 3), '--id-column', 'id', '-c', file);
    const { parts: main, workerParts } = await loadedBy(directory, 'run', '--until-idle', '-c', file);
    for (const needed of ['clustering', 'codec', 'configuration', 'inference', 'log', 'metrics', 'stages'] as const) expect(main).toContain(needed);
    for (const other of ['csv', 'http', 'kafka', 'otherCommands', 'persons', 'registry', 'server', 'sounds', 'transformers'] as const) expect(main).not.toContain(other);
    expect(workerParts).toContain('inference');
    for (const other of ['codec', 'kafka', 'log', 'metrics', 'server', 'sounds', 'stages', 'transformers'] as const) expect(workerParts).not.toContain(other);
    const { parts: serving } = await loadedBy(directory, 'run', '--until-idle', '-c', file, '--set', 'server.enabled=true', '--set', 'server.port=0');
    expect(serving).toContain('server');
  });
});
