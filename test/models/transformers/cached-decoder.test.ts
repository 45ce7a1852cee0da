// What a decoder's graph is fed, step by step, whatever of it the export asks for.
import { expect, test } from 'vitest';
import { Tensor } from 'onnxruntime-node';
import { beamSearch } from '../../../src/models/transformers/generation/beam-search.ts';
import { createCachedDecoder } from '../../../src/models/transformers/generation/cached-decoder.ts';
import { greedySearch } from '../../../src/models/transformers/generation/greedy-search.ts';
import type { Feeds, Graph } from '../../../src/models/transformers/graph.ts';

const names = ['input_ids', 'attention_mask', 'position_ids', 'cache_position', 'use_cache_branch', 'encoder_hidden_states', 'past_key_values.0.decoder.key', 'past_key_values.0.encoder.key'];
const vocabulary = 6;

/** Writes the successor of each row's last token; keeps the tokens of each row as its keys. */
function counting(fed: Record<string, unknown>[], change: (logits: Float32Array) => void = () => undefined): Graph {
  const plain = (tensor: Tensor | undefined): unknown => (tensor === undefined ? undefined : { dims: [...tensor.dims], data: Array.from(tensor.data as ArrayLike<number | bigint>, Number) });
  return {
    path: 'decoder.onnx',
    inputs: names.map((name) => ({ name, type: 'float32', shape: name.startsWith('past') ? ['batch_size', 1, 'past', 1] : [] })),
    outputs: ['logits', 'present.0.decoder.key', 'present.0.encoder.key'],
    run: (feeds: Feeds) => {
      fed.push(Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, plain(tensor)])));
      const { dims, data } = feeds['input_ids']!;
      const [rows = 0, count = 0] = dims;
      const tokens = Array.from(data as BigInt64Array, Number);
      const logits = new Float32Array(rows * count * vocabulary);
      for (const [index, token] of tokens.entries()) logits[index * vocabulary + ((token + 1) % vocabulary)] = 4;
      change(logits);
      const past = feeds['past_key_values.0.decoder.key']!;
      const before = past.data.length / rows;
      const keys = Array.from({ length: rows }, (_, row) => [...Array.from((past.data as Float32Array).slice(row * before, (row + 1) * before)), ...tokens.slice(row * count, (row + 1) * count)]).flat();
      const isFirst = before === 0;
      return Promise.resolve({
        logits: new Tensor('float32', logits, [rows, count, vocabulary]),
        'present.0.decoder.key': new Tensor('float32', Float32Array.from(keys), [rows, 1, keys.length / rows, 1]),
        'present.0.encoder.key': new Tensor('float32', isFirst ? new Float32Array(rows).fill(7) : new Float32Array(0), [isFirst ? rows : 0, 1, 1, 1]),
      });
    },
    release: () => Promise.resolve(),
  };
}

const encoderStates = new Tensor('float32', Float32Array.of(1, 2), [1, 2, 1]);

test('the first step has no past, later ones have all of it, and what the encoder gave once', async () => {
  const fed: Record<string, unknown>[] = [];
  const decoder = createCachedDecoder(counting(fed), 32, 'm').decoderOf({ encoderStates });
  expect(await greedySearch(decoder, [0, 1], { newTokensMax: 3, endIds: new Set([5]) })).toEqual([2, 3, 4]);
  expect(fed[0]).toMatchObject({
    input_ids: { dims: [1, 2], data: [0, 1] }, attention_mask: { dims: [1, 2], data: [1, 1] }, position_ids: { dims: [1, 2], data: [0, 1] }, cache_position: { dims: [2], data: [0, 1] },
    use_cache_branch: { data: [0] }, 'past_key_values.0.decoder.key': { dims: [1, 1, 0, 1] }, 'past_key_values.0.encoder.key': { dims: [1, 1, 0, 1] },
  });
  expect(fed[2]).toMatchObject({
    input_ids: { dims: [1, 1], data: [3] }, attention_mask: { dims: [1, 4] }, position_ids: { dims: [1, 1], data: [3] }, cache_position: { dims: [1], data: [3] }, use_cache_branch: { data: [1] },
    encoder_hidden_states: { dims: [1, 2, 1], data: [1, 2] }, 'past_key_values.0.decoder.key': { dims: [1, 1, 3, 1], data: [0, 1, 2] }, 'past_key_values.0.encoder.key': { data: [7] },
  });
});

test('beams take the past of the rows that they come of', async () => {
  const fed: Record<string, unknown>[] = [];
  const decoder = createCachedDecoder(counting(fed), 32, 'm').decoderOf({ encoderStates });
  const [best] = await beamSearch(decoder, [0], { newTokensMax: 3, endIds: new Set([5]), beamCount: 2, lengthPenalty: 1, earlyStopping: false });
  expect(best?.tokens).toEqual([1, 2, 3]);
  const last = fed.at(-1) as Record<string, { dims: number[]; data: number[] }>;
  expect(last['input_ids']?.dims).toEqual([2, 1]);
  expect(last['past_key_values.0.decoder.key']).toMatchObject({ dims: [2, 1, 2, 1] });
  expect(last['past_key_values.0.decoder.key']?.data.slice(0, 2)).toEqual([0, 1]);
  expect(last['encoder_hidden_states']).toEqual({ dims: [2, 2, 1], data: [1, 2, 1, 2] });
  expect(last['past_key_values.0.encoder.key']?.data).toEqual([7, 7]);
});

test('a text ends with its end, at its limit, and with a prompt of one token', async () => {
  const decoder = createCachedDecoder(counting([]), 32, 'm').decoderOf({});
  expect(await greedySearch(decoder, [3], { newTokensMax: 9, endIds: new Set([5]) })).toEqual([4, 5]);
  const found = await beamSearch(decoder, [3], { newTokensMax: 9, endIds: new Set([5]), beamCount: 3, lengthPenalty: 1, earlyStopping: true });
  expect(found).toHaveLength(3);
  expect(found[0]?.tokens).toEqual([4, 5]);
  // What follows the end is not there.
  for (const { tokens } of found) expect(tokens.slice(0, -1)).not.toContain(5);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])('a logit of %s is no answer', async (value) => {
  const decoder = createCachedDecoder(counting([], (logits) => void logits.fill(value, 1, 2)), 32, 'm').decoderOf({});
  await expect(greedySearch(decoder, [0], { newTokensMax: 3, endIds: new Set([5]) })).rejects.toMatchObject({ code: 'LS_MODEL_OUTPUT_NOT_FINITE' });
});

test('a graph that asks for what nobody knows is refused', () => {
  const graph = counting([]);
  const inputs = [...graph.inputs, { name: 'token_type_ids', type: 'int64', shape: [] }];
  expect(() => createCachedDecoder({ ...graph, inputs }, 32, 'm')).toThrow(expect.objectContaining({ code: 'LS_MODEL_LOAD' }));
  expect(() => createCachedDecoder({ ...graph, outputs: ['logits'] }, 32, 'm')).toThrow(expect.objectContaining({ code: 'LS_MODEL_LOAD' }));
});
