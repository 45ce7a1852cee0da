/**
 * The questions of banking77 as MiniLM and this program encode them, and their intents. To encode 10,003 texts takes minutes, so the vectors are kept
 * outside the repository (fetched.ts), under a name that texts, model and the first vectors make: another encoder finds none.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTransformerModel } from '../../bench/transformer-model.ts';
import { csvRows, samples } from '../../examples/example.ts';
import { startInferenceWorker, type InferenceWorker } from '../../src/models/worker-handle.ts';
import { unpackOutcomes } from '../../src/models/worker-protocol.ts';
import { fetched } from '../fetched.ts';
import { rowOf } from '../models/graph-models.ts';

export const bankingFile = join(samples, 'text/banking77_train.csv');

/** Encoded at every run. */
const probes = 16;
const requestItems = 128;

export type BankingVectors = { readonly vectors: readonly Float32Array[]; readonly intents: readonly string[] };

export async function bankingVectors(): Promise<BankingVectors> {
  const rows = await csvRows(bankingFile, true);
  const texts = rows.map(({ fields }) => fields['text'] ?? '');
  const intents = rows.map(({ fields }) => fields['category'] ?? '');
  const vectors = await withTransformerModel(async (artefacts) => {
    const worker = await startInferenceWorker({ models: [{ name: 'model', artefacts }], testKnownAnswers: false });
    try {
      const first = await embed(worker, texts.slice(0, probes));
      const name = createHash('sha256').update(JSON.stringify(artefacts.manifest)).update(texts.join('\n')).update(bytesOf(first)).digest('hex').slice(0, 16);
      const folder = await fetched(`banking77-minilm-${name}`, async (folder) => {
        await writeFile(join(folder, 'vectors.f32'), bytesOf(await embed(worker, texts)));
      });
      const bytes = await readFile(join(folder, 'vectors.f32'));
      const values = new Float32Array(new Uint8Array(bytes).buffer);
      const dimensions = first[0]?.length ?? 0;
      if (values.length !== dimensions * texts.length) throw new Error(`${folder} does not hold the vectors of ${texts.length} texts; remove it`);
      return texts.map((_, index) => values.slice(index * dimensions, (index + 1) * dimensions));
    } finally {
      await worker.close();
    }
  });
  return { vectors, intents };
}

function bytesOf(vectors: readonly Float32Array[]): Buffer {
  return Buffer.concat(vectors.map((vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)));
}

async function embed(worker: InferenceWorker, texts: readonly string[]): Promise<readonly Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let start = 0; start < texts.length; start += requestItems) {
    const inputs = texts.slice(start, start + requestItems).map((text) => ({ kind: 'text', text }) as const);
    for (const outcome of unpackOutcomes(await worker.run({ model: 'model', inputs }))) {
      if ('failure' in outcome) throw new Error(`${outcome.failure.code}: ${outcome.failure.message}`);
      vectors.push(rowOf(outcome));
    }
  }
  return vectors;
}
