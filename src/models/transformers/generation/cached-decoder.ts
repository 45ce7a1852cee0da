/**
 * A decoder as optimum exports it: one graph that reads new tokens and the keys and values of those before (`past_key_values.*`, given back as
 * `present.*`). Two kinds are known by their inputs:
 *
 *   merged      has `use_cache_branch`, false at the first step, when the past is fed with no places. What it keeps of an encoder
 *               (`*.encoder.*`) comes of the first step alone: later ones give nothing for it
 *   one graph   takes a past of any length, also none, and finds positions in `attention_mask`
 */
import { Tensor } from 'onnxruntime-node';
import { modelError } from '../../../core/errors/model.ts';
import { float32Tensor, int64Tensor, numbersOf, onesTensor, requirePorts, type Feeds, type Graph, type GraphPort } from '../graph.ts';
import type { Decoder, Step } from './decoder.ts';

/** What the tokens of a text are read as, where the graph reads vectors; [rows, tokens, width]. */
export type EmbedTokens = (tokens: readonly number[], rowCount: number) => Promise<Tensor>;

export type DecoderContext = {
  /** [1, places, width], of one item; every row of the decoder sees it. */
  readonly encoderStates?: Tensor;
  readonly embed?: EmbedTokens;
};

type CacheState = { readonly past: Feeds; readonly rowCount: number; readonly length: number };

type PastPort = GraphPort & { readonly present: string; readonly isOfEncoder: boolean };

export type CachedDecoderGraph = {
  /** The decoder of one item. */
  readonly decoderOf: (context: DecoderContext) => Decoder<CacheState>;
};

const pastPrefix = 'past_key_values.';
const inputNames = ['input_ids', 'inputs_embeds', 'attention_mask', 'encoder_hidden_states', 'encoder_attention_mask', 'use_cache_branch', 'position_ids', 'cache_position', /^past_key_values\./];

/** Throws LS_MODEL_LOAD. */
export function createCachedDecoder(graph: Graph, lengthMax: number, directory: string): CachedDecoderGraph {
  const pastPorts = graph.inputs.flatMap((port): PastPort[] => {
    if (!port.name.startsWith(pastPrefix)) return [];
    const present = `present.${port.name.slice(pastPrefix.length)}`;
    return [{ ...port, present, isOfEncoder: port.name.includes('.encoder.') }];
  });
  requirePorts(graph, { inputs: inputNames, outputs: ['logits', ...pastPorts.map(({ present }) => present)] }, directory);
  return { decoderOf: (context) => decoderOf(graph, pastPorts, lengthMax, context) };
}

function decoderOf(graph: Graph, pastPorts: readonly PastPort[], lengthMax: number, { encoderStates, embed }: DecoderContext): Decoder<CacheState> {
  const read = async (tokens: readonly number[], { past, rowCount, length }: CacheState): Promise<Step<CacheState>> => {
    const newLength = tokens.length / rowCount;
    const encoder = encoderStates === undefined ? undefined : repeated(encoderStates, rowCount);
    const outputs = await graph.run({
      ...(embed === undefined ? { input_ids: int64Tensor(tokens, [rowCount, newLength]) } : { inputs_embeds: await embed(tokens, rowCount) }),
      attention_mask: onesTensor([rowCount, length + newLength]),
      ...positionsOf(length, newLength, rowCount),
      ...(encoder === undefined ? {} : { encoder_hidden_states: encoder, encoder_attention_mask: onesTensor([rowCount, encoder.dims[1] ?? 0]) }),
      use_cache_branch: new Tensor('bool', Uint8Array.of(length > 0 ? 1 : 0), [1]),
      ...past,
    });
    const entries = pastPorts.map(({ name, present, isOfEncoder }) => [name, isOfEncoder && length > 0 ? past[name] : outputs[present]] as const);
    const state = { past: Object.fromEntries(entries.flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, tensor]]))), rowCount, length: length + newLength };
    return { logits: lastLogits(outputs, rowCount, newLength), rowCount, state };
  };
  return {
    lengthMax,
    prompt: (tokens) => read(tokens, { past: Object.fromEntries(pastPorts.map((port) => [port.name, noPast(port)])), rowCount: 1, length: 0 }),
    next: (state, tokens) => read(tokens, state),
    select: ({ past, length, rowCount }, rows) => {
      if (rows.length === rowCount && rows.every((row, index) => row === index)) return { past, length, rowCount };
      return { past: Object.fromEntries(Object.entries(past).map(([name, tensor]) => [name, selected(tensor, rows)])), length, rowCount: rows.length };
    },
  };
}

/** The same under both names that exports have for it: by rows, and once for all. */
function positionsOf(from: number, count: number, rowCount: number): Feeds {
  const positions = Array.from({ length: count }, (_, index) => from + index);
  return { position_ids: int64Tensor(Array.from({ length: rowCount }, () => positions).flat(), [rowCount, count]), cache_position: int64Tensor(positions, [count]) };
}

/** One row; what is open beside it has no places. */
function noPast({ shape }: GraphPort): Tensor {
  const dims = shape.map((size, axis) => (axis === 0 ? 1 : typeof size === 'number' && size > 0 ? size : 0));
  return float32Tensor(new Float32Array(0), dims);
}

/** Copies: the whole has a row for every new token, which nobody needs any more. */
function lastLogits(outputs: Feeds, rowCount: number, length: number): Float32Array {
  const { data, dims } = numbersOf(outputs, 'logits');
  const width = dims[2] ?? 0;
  if (dims.length !== 3 || dims[0] !== rowCount || dims[1] !== length || width === 0) {
    throw modelError('LS_MODEL_OUTPUT', `the logits are [${dims.join(', ')}], not [${rowCount}, ${length}, tokens]`);
  }
  if (length === 1) return data;
  const last = new Float32Array(rowCount * width);
  for (let row = 0; row < rowCount; row += 1) last.set(data.subarray(((row + 1) * length - 1) * width, (row + 1) * length * width), row * width);
  return last;
}

function repeated(tensor: Tensor, rowCount: number): Tensor {
  return rowCount === 1 ? tensor : selected(tensor, Array.from({ length: rowCount }, () => 0));
}

function selected(tensor: Tensor, rows: readonly number[]): Tensor {
  const data = tensor.data as Float32Array;
  const width = data.length / (tensor.dims[0] ?? 1);
  const result = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) result.set(data.subarray(row * width, (row + 1) * width), index * width);
  return float32Tensor(result, [rows.length, ...tensor.dims.slice(1)]);
}
