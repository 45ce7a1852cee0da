// The tiny models are the files that their script wrote, whole, and ONNX Runtime alone loads each and runs it.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';

const root = import.meta.dirname;
const list = JSON.parse(await readFile(join(root, 'files.json'), 'utf8')) as Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
const options: InferenceSession.SessionOptions = { intraOpNumThreads: 1, interOpNumThreads: 1 };

const seq2seq = ['generation_config.json', 'onnx/decoder_model_merged.onnx', 'onnx/encoder_model.onnx'];
const text = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
const layouts: Readonly<Record<string, readonly string[]>> = {
  'vit-gpt2': [...text, ...seq2seq, 'config.json', 'preprocessor_config.json', 'vocab.json', 'merges.txt', 'wide.resized.png'],
  whisper: [...text, ...seq2seq, 'config.json', 'preprocessor_config.json', 'vocab.json', 'merges.txt'],
  clip: [...text, 'config.json', 'preprocessor_config.json', 'vocab.json', 'merges.txt', 'onnx/model.onnx', 'onnx/text_model.onnx', 'onnx/vision_model.onnx', 'wide.resized.png'],
  siglip: [...text, 'config.json', 'preprocessor_config.json', 'spiece.model', 'onnx/model.onnx', 'onnx/text_model.onnx', 'onnx/vision_model.onnx', 'wide.resized.png'],
  owlvit: [...text, 'config.json', 'preprocessor_config.json', 'vocab.json', 'merges.txt', 'onnx/model.onnx', 'wide.resized.png'],
  detr: ['config.json', 'preprocessor_config.json', 'onnx/model.onnx', 'wide.resized.png'],
  blip: [...text, ...seq2seq, 'config.json', 'preprocessor_config.json', 'vocab.txt', 'wide.resized.png'],
  blip2: [...text, 'config.json', 'generation_config.json', 'preprocessor_config.json', 'onnx/decoder_model_merged.onnx', 'onnx/embed_tokens.onnx', 'onnx/vision_encoder.onnx', 'wide.resized.png'],
  vgg16: ['onnx/model.onnx'],
  bert: [...text, 'config.json', 'vocab.txt', 'modules.json', '1_Pooling/config.json', 'onnx/model.onnx'],
};

test('every file is listed, and is what the list says', async () => {
  const found = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts') && entry.name !== 'files.json')
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
  expect(found.sort()).toEqual(Object.keys(list).sort());
  for (const [name, { bytes, sha256 }] of Object.entries(list)) {
    const data = await readFile(join(root, name));
    expect({ name, bytes: data.length, sha256: createHash('sha256').update(data).digest('hex') }).toEqual({ name, bytes, sha256 });
  }
});

test('together they stay small', async () => {
  const sizes = await Promise.all(Object.keys(list).map(async (name) => (await stat(join(root, name))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(6 * 2 ** 20);
});

test('there is no model but these, and each has golden answers', () => {
  const folders = new Set(Object.keys(list).map((name) => name.split('/')[0] ?? ''));
  expect([...folders].sort()).toEqual([...Object.keys(layouts), 'inputs'].sort());
  for (const [name, files] of Object.entries(layouts)) {
    expect(Object.keys(list)).toEqual(expect.arrayContaining([...files, 'goldens.json'].map((file) => `${name}/${file}`)));
  }
});

/** Zeros in the shape of an input; sizes that are open are 1, and those of earlier keys and values 0 but for the batch. */
function zeros(input: InferenceSession.ValueMetadata): Tensor {
  if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
  const { name, type, shape } = input;
  const isPast = name.startsWith('past_key_values');
  const open: Readonly<Record<string, number>> = { height: 64, width: 64, num_channels: 3, feature_size: 80, encoder_sequence_length: name === 'input_features' ? 3000 : 17 };
  const sizes = shape.map((size) => (typeof size === 'number' ? size : isPast && size !== 'batch_size' ? 0 : (open[size] ?? 1)));
  const count = sizes.reduce((product, size) => product * size, 1);
  if (type === 'int64') return new Tensor('int64', new BigInt64Array(count), sizes);
  if (type === 'bool') return new Tensor('bool', new Uint8Array(count), sizes);
  return new Tensor('float32', new Float32Array(count), sizes);
}

for (const file of Object.keys(list).filter((name) => name.endsWith('.onnx'))) {
  test(`${file} loads and runs`, async () => {
    const session = await InferenceSession.create(join(root, file), options);
    const outputs = await session.run(Object.fromEntries(session.inputMetadata.map((input) => [input.name, zeros(input)])));
    expect(Object.keys(outputs).sort()).toEqual([...session.outputNames].sort());
    const first = outputs[session.outputNames[0] ?? ''];
    expect([...(first?.data as Float32Array)].every(Number.isFinite)).toBe(true);
    await session.release();
  });
}
