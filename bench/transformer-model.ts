/** all-MiniLM-L6-v2 as a model of this program, in a folder of its own that is removed afterwards; LABELSTREAM_MINILM says where it lies. */
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { samples } from '../examples/example.ts';
import { loadArtefacts, type ModelArtefacts } from '../src/models/repository.ts';

const dimensions = 384;
const maxTokens = 128;

export async function withTransformerModel<Result>(use: (model: ModelArtefacts) => Promise<Result>): Promise<Result> {
  const source = resolve(process.env['LABELSTREAM_MINILM'] ?? join(samples, '../models/all-MiniLM-L6-v2'));
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-bench-'));
  try {
    const files = [];
    for (const path of ['onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json']) {
      const name = basename(path);
      await cp(join(source, path), join(directory, name));
      const bytes = await readFile(join(directory, name));
      files.push({ path: name, sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length });
    }
    await writeFile(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, files }));
    return await use(await loadArtefacts(directory));
  } finally {
    await rm(directory, { recursive: true });
  }
}

const manifest = {
  name: 'all-minilm-l6-v2',
  version: '1.0.0',
  task: 'text-features',
  licence: 'Apache-2.0',
  source: 'sentence-transformers/all-MiniLM-L6-v2',
  model: 'model.onnx',
  opset: 17,
  dequantise: true,
  preprocessing: {
    kind: 'tokenizer',
    file: 'tokenizer.json',
    maxTokens,
    inputs: { ids: 'input_ids', mask: 'attention_mask', types: 'token_type_ids' },
  },
  postprocessing: { kind: 'vector', output: 'last_hidden_state', dimensions, pooling: 'mean', normalisation: 'l2' },
  // Narrow buckets: the transformer should not be slow because of padding.
  executedShapes: { batchSizes: [1, 4, 16], lengths: [16, 32, 48, 64, 96, maxTokens] },
  reproducible: true,
  // Of no use here, and a manifest needs one.
  knownAnswers: [{ input: { kind: 'text', text: 'none' }, output: Array.from({ length: dimensions }, () => 0), tolerance: 1 }],
};
