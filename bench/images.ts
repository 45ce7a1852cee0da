/**
 * What the stream costs on top of what it streams: images that are read from the embedded log, labelled, and committed to it (exactly once),
 * against the same decoding, preprocessing and model in a bare loop with the same number of inference workers, batches and threads. The bare
 * loop has no log, no events, no order and no positions; it keeps every worker busy with one batch prefetched, as the stream does.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pino from 'pino';
import { startModels, startStages } from '../src/compose.ts';
import { openAccess, type Access } from '../src/open-access.ts';
import { untilIdle } from '../src/until-idle.ts';
import { createProcessContext } from '../src/process-context.ts';
import { parseConfiguration, type Configuration } from '../src/config/load.ts';
import { partitionForKey } from '../src/core/partitioning.ts';
import { noHeaders, type OutputRecord } from '../src/core/records.ts';
import { topics } from '../src/core/topics.ts';
import { defaultWorkerCount } from '../src/models/cpu-limit.ts';
import type { ModelInput } from '../src/models/model-port.ts';
import type { ModelServer } from '../src/models/model-server.ts';
import type { GraphArtefacts } from '../src/models/repository.ts';
import { loadGraph, rowOf } from '../test/models/graph-models.ts';
import { startInferenceWorker, type InferenceWorker } from '../src/models/worker-handle.ts';
import { unpackOutcomes } from '../src/models/worker-protocol.ts';
import { startStallMonitor } from '../src/observation/main-loop-stall.ts';
import { tasks } from '../src/tasks/registry.ts';
import type { Bench } from './bench.ts';
import { picture } from './inference/work.ts';
import { interleavedPairs, type Side } from './interleaved-pairs.ts';

const repository = resolve(import.meta.dirname, '..');
/** Enough that starting the stages, which is in each pass of the stream, is a percent of it. */
const imageCount = 1_500;

/** Element i: the scores of image i, in the order of the model's labels. */
type Scores = readonly (readonly number[])[];

export const images: Bench = async (report) => {
  const directory = resolve(repository, process.env['LABELSTREAM_BENCH_MODEL'] ?? 'models/drawing-classifier');
  const artefacts = await loadGraph(directory);
  const workerCount = await defaultWorkerCount();
  const pictures = await Promise.all(Array.from({ length: imageCount }, (_, index) => picture(index)));
  return withStream(directory, workerCount, (stream) =>
    withWorkers(artefacts, workerCount, async (workers) => {
      let longestStallMs = 0;
      const streamSide: Side<Scores> = {
        name: 'stream',
        prepare: () => publish(stream.access, pictures),
        pass: async () => {
          const stall = startStallMonitor();
          const output = await streamed(stream, artefacts.manifest.labels);
          longestStallMs = Math.max(longestStallMs, stall.longestMs());
          stall.stop();
          return { items: pictures.length, output };
        },
      };
      const bareLoop: Side<Scores> = {
        name: 'bare loop',
        pass: async () => ({ items: pictures.length, output: await bare(workers, pictures, artefacts.manifest.executedShapes.batchSizes.at(-1) ?? 1) }),
      };
      const { ratio, left, right } = await interleavedPairs({
        left: streamSide,
        right: bareLoop,
        difference,
        report: (name, { itemsPerSecond, cpuSeconds }) => report(`${name}: ${itemsPerSecond.toFixed(0)} images/s, ${cpuSeconds.toFixed(1)} s of CPU`),
      });
      const bytes = pictures.reduce((total, { length }) => total + length, 0);
      return {
        work: `${imageCount} JPEG images of 640 x 480 (${Math.round(bytes / imageCount / 1024)} KiB each) through ${artefacts.manifest.name} in ${workerCount} workers; from images in the log to committed labels that were read back`,
        ratios: { streamToBareLoop: ratio },
        sides: [left, right],
        figures: { longestMainLoopStallMs: longestStallMs, imagesComparedEqual: imageCount },
      };
    }),
  );
};

/** The log and the models of the stream, without its stages. */
type Stream = { readonly access: Access; readonly models: ModelServer };

async function withStream<Result>(model: string, workerCount: number, use: (stream: Stream) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-bench-'));
  try {
    const context = await createProcessContext(pino({ level: 'error' }, pino.destination(2)));
    const access = await openAccess(configurationOf(directory, model, workerCount), context, 'owner-required');
    const models = await startModels(access);
    try {
      return await use({ access, models });
    } finally {
      await models.close();
      await access.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function configurationOf(dataDirectory: string, model: string, workerCount: number): Configuration {
  const text = `
delivery: exactly-once
dataDirectory: ${JSON.stringify(dataDirectory)}
server: { enabled: false }
inference: { workerCount: ${workerCount} }
models: { classifier: { directory: ${JSON.stringify(model)} } }
routes:
  - name: images
    from: media
    steps: [{ name: classify, task: image-classification, model: classifier }]
`;
  const loaded = parseConfiguration(text, { file: join(repository, 'bench.yaml'), environment: {}, assignments: [], tasks: [...tasks.values()] });
  if (loaded.configuration === undefined) throw new Error(loaded.mistakes.map(({ message }) => message).join('; '));
  return loaded.configuration;
}

async function publish(access: Access, pictures: readonly Buffer[]): Promise<void> {
  const size = 50;
  for (let start = 0; start < pictures.length; start += size) {
    await access.transport.append(pictures.slice(start, start + size).map((bytes, offset) => mediaRecord(access, start + offset, bytes)));
  }
}

/** Starts the stages on what was published, and returns when all of its labels are committed. */
async function streamed({ access, models }: Stream, labels: readonly string[]): Promise<Scores> {
  const ends = await labelEnds(access);
  const stages = await startStages(access, models, new AbortController().signal);
  const failed = Promise.race([stages.extract.failed, stages.cluster.failed]).then((error) => Promise.reject(error));
  await Promise.race([untilIdle(access, stages), failed]);
  await stages.stop();
  const scores: number[][] = [];
  for (const [partition, { position, sequence }] of ends.entries()) await collect(access, partition, position, sequence, labels, scores);
  return scores;
}

function mediaRecord({ codec, partitionCountOf }: Access, index: number, content: Buffer): OutputRecord {
  const id = String(index);
  const event = { id, source: 'bench', occurredAt: 0, contentType: 'image/jpeg', content, tasks: [], collection: null, attributes: {}, deleted: false };
  return {
    topic: topics.media,
    partition: partitionForKey(id, partitionCountOf(topics.media)),
    key: Buffer.from(id),
    value: codec.encode('MediaEvent', event),
    headers: noHeaders,
  };
}

type Ends = { readonly position: string; readonly sequence: bigint }[];

async function labelEnds({ transport, partitionCountOf }: Access): Promise<Ends> {
  const bounds = Array.from({ length: partitionCountOf(topics.labels) }, (_, partition) => transport.bounds({ topic: topics.labels, partition }));
  return (await Promise.all(bounds)).map(({ end }) => end);
}

/** Of one partition of labels, what came from `sequence` on. */
async function collect(
  { transport, codec }: Access,
  partition: number,
  from: string,
  sequence: bigint,
  labels: readonly string[],
  scores: number[][],
): Promise<void> {
  const { end } = await transport.bounds({ topic: topics.labels, partition });
  for (let position = from, next = sequence; next < end.sequence; ) {
    const records = await transport.read({ topic: topics.labels, partition }, position, { records: 1_000, bytes: 8 * 1024 * 1024 }, new AbortController().signal);
    for (const { value, nextPosition, sequence: read } of records) {
      [position, next] = [nextPosition, read + 1n];
      const decoded = codec.decode(value);
      if (decoded.schema !== 'LabelEvent' || !('labelstream.v1.Classification' in decoded.event.result)) throw new Error('the stream gave no classification');
      const found = new Map(decoded.event.result['labelstream.v1.Classification'].labels.map(({ label, score }) => [label, score]));
      const index = Number(decoded.event.inputId.slice(decoded.event.inputId.indexOf('/') + 1));
      scores[index] = labels.map((label) => found.get(label) ?? Number.NaN);
    }
  }
}

async function withWorkers<Result>(artefacts: GraphArtefacts, workerCount: number, use: (workers: readonly InferenceWorker[]) => Promise<Result>): Promise<Result> {
  const setup = { models: [{ name: 'model', artefacts }], testKnownAnswers: false };
  const workers = await Promise.all(Array.from({ length: workerCount }, () => startInferenceWorker(setup)));
  try {
    return await use(workers);
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

/** Two loops per worker: while one batch runs, the next one waits in the thread. */
async function bare(workers: readonly InferenceWorker[], pictures: readonly Buffer[], batchSize: number): Promise<Scores> {
  const scores: number[][] = [];
  let next = 0;
  const loop = async (worker: InferenceWorker): Promise<void> => {
    while (next < pictures.length) {
      const start = next;
      next += batchSize;
      const inputs = pictures.slice(start, start + batchSize).map((bytes): ModelInput => ({ kind: 'image', bytes, contentType: 'image/jpeg' }));
      for (const [offset, outcome] of unpackOutcomes(await worker.run({ model: 'model', inputs })).entries()) {
        if ('failure' in outcome) throw new Error(`${outcome.failure.code}: ${outcome.failure.message}`);
        scores[start + offset] = [...rowOf(outcome)];
      }
    }
  };
  await Promise.all(workers.flatMap((worker) => [loop(worker), loop(worker)]));
  return scores;
}

function difference(left: Scores, right: Scores): string | undefined {
  if (left.length !== right.length) return `${left.length} results against ${right.length}`;
  const index = left.findIndex((scores, image) => scores.some((score, label) => !Object.is(score, right[image]?.[label])));
  return index < 0 ? undefined : `the scores of image ${index}`;
}
