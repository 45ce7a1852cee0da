/** all-MiniLM-L6-v2 as a model of this program, in a folder of its own that is removed afterwards; LABELSTREAM_MINILM says where it lies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { samples } from '../examples/example.ts';
import { importTransformer } from '../src/models/import-transformer.ts';
import type { GraphArtefacts } from '../src/models/repository.ts';
import { loadGraph } from '../test/models/graph-models.ts';

export async function withTransformerModel<Result>(use: (model: GraphArtefacts) => Promise<Result>): Promise<Result> {
  const from = resolve(process.env['LABELSTREAM_MINILM'] ?? join(samples, '../models/all-MiniLM-L6-v2'));
  const parent = await mkdtemp(join(tmpdir(), 'labelstream-bench-'));
  try {
    const directory = join(parent, 'model');
    await importTransformer({ from, directory, licence: 'Apache-2.0' });
    return await use(await loadGraph(directory));
  } finally {
    await rm(parent, { recursive: true });
  }
}
