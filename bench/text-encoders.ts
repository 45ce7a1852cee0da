/**
 * What the bundled static encoder gains over the transformer that taught it, and what it loses: texts per second through the same inference
 * worker with one thread, and the correlation of the similarities of texts that fitted no weight. AG News fitted none at all; of
 * banking77 the manifest of the encoder says which rows were held out.
 */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { samples, csvRows } from '../examples/example.ts';
import { seededRandom, shuffled } from '../src/core/seeded-random.ts';
import type { GraphArtefacts } from '../src/models/repository.ts';
import { loadGraph, rowOf } from '../test/models/graph-models.ts';
import { startInferenceWorker, type InferenceWorker } from '../src/models/worker-handle.ts';
import { unpackOutcomes } from '../src/models/worker-protocol.ts';
import type { Bench } from './bench.ts';
import { interleavedPairs, type Side } from './interleaved-pairs.ts';
import { withTransformerModel } from './transformer-model.ts';

const repository = resolve(import.meta.dirname, '..');
const textCount = 1_000;
const comparedCount = 2_000;
const similarityPairs = 20_000;
/** Per request of a worker: enough that length buckets fill their batches. */
const requestItems = 128;

export const textEncoders: Bench = async (report) => {
  const encoder = await loadGraph(join(repository, 'models/static-text-encoder'));
  const news = (await csvRows(join(samples, 'text/ag_news_test.csv'), false)).map(({ fields }) => `${fields['1'] ?? ''} ${fields['2'] ?? ''}`);
  const banking = await heldOutBanking(encoder);
  return withTransformerModel((teacher) =>
    withWorkers([encoder, teacher], async ([staticWorker, transformerWorker]) => {
      const texts = shuffled(news, seededRandom(1)).slice(0, textCount);
      const side = (name: string, worker: InferenceWorker): Side<Float32Array[]> => ({
        name,
        pass: async () => ({ items: texts.length, output: await embed(worker, texts) }),
      });
      const { ratio, left, right, outputs } = await interleavedPairs({
        left: side('static-text-encoder', staticWorker),
        right: side('all-MiniLM-L6-v2', transformerWorker),
        report: (name, { itemsPerSecond, cpuSeconds }) => report(`${name}: ${itemsPerSecond.toFixed(0)} texts/s, ${cpuSeconds.toFixed(1)} s of CPU`),
      });
      const heldOut = shuffled(banking, seededRandom(2)).slice(0, comparedCount);
      return {
        work: `${texts.length} texts of AG News in one worker with one thread, ${requestItems} per request`,
        ratios: { staticToTransformerSpeed: ratio },
        sides: [left, right],
        figures: {
          correlationOfSimilarities: {
            bankingHeldOut: similarityCorrelation(await embed(staticWorker, heldOut), await embed(transformerWorker, heldOut)),
            agNews: similarityCorrelation(outputs.left, outputs.right),
            pairs: similarityPairs,
            texts: { bankingHeldOut: heldOut.length, agNews: texts.length },
          },
        },
      };
    }),
  );
};

type HeldOut = { readonly intents: readonly string[]; readonly sha256FirstByteBelow: number };

/** The rows of banking77 that the encoder's script kept back: whole intents, and of the others those whose hash is small. */
async function heldOutBanking({ manifest }: GraphArtefacts): Promise<string[]> {
  const { intents, sha256FirstByteBelow } = manifest.quality['heldOutOfBanking77'] as HeldOut;
  const firstByte = (text: string): number => createHash('sha256').update(text).digest()[0] ?? 0;
  const rows = await csvRows(join(samples, 'text/banking77_train.csv'), true);
  return rows.flatMap(({ fields: { text = '', category = '' } }) => (intents.includes(category) || firstByte(text) < sha256FirstByteBelow ? [text] : []));
}

async function withWorkers<Result>(
  [left, right]: readonly [GraphArtefacts, GraphArtefacts],
  use: (workers: readonly [InferenceWorker, InferenceWorker]) => Promise<Result>,
): Promise<Result> {
  const start = (artefacts: GraphArtefacts): Promise<InferenceWorker> =>
    startInferenceWorker({ models: [{ name: 'model', artefacts }], testKnownAnswers: false });
  const workers = [await start(left), await start(right)] as const;
  try {
    return await use(workers);
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

/** Two requests are under way, as in the pool of workers: while one runs, the next one waits in the thread. */
async function embed(worker: InferenceWorker, texts: readonly string[]): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  const request = async (start: number): Promise<Float32Array[]> => {
    const inputs = texts.slice(start, start + requestItems).map((text) => ({ kind: 'text', text }) as const);
    return unpackOutcomes(await worker.run({ model: 'model', inputs })).map((outcome) => {
      if ('failure' in outcome) throw new Error(`${outcome.failure.code}: ${outcome.failure.message}`);
      return rowOf(outcome);
    });
  };
  let waiting = request(0);
  for (let start = requestItems; start < texts.length + requestItems; start += requestItems) {
    const current = waiting;
    waiting = start < texts.length ? request(start) : Promise.resolve([]);
    vectors.push(...(await current));
  }
  return vectors;
}

/** Pearson's, of the cosines of the same random pairs on both sides; every vector has length 1. */
function similarityCorrelation(left: readonly Float32Array[], right: readonly Float32Array[]): number {
  const random = seededRandom(3);
  const pick = (): number => Math.floor(random() * left.length);
  const pairs = Array.from({ length: similarityPairs }, () => [pick(), pick()] as const).filter(([one, other]) => one !== other);
  const cosines = (vectors: readonly Float32Array[]): number[] => pairs.map(([one, other]) => dot(vectors[one] ?? [], vectors[other] ?? []));
  return pearson(cosines(left), cosines(right));
}

function dot(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < left.length; index += 1) sum += (left[index] ?? 0) * (right[index] ?? 0);
  return sum;
}

function pearson(left: readonly number[], right: readonly number[]): number {
  const centred = (values: readonly number[]): number[] => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const [one, other] = [centred(left), centred(right)];
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}
