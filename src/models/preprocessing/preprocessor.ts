/**
 * The port of a kind of preprocessing: from an item to the numbers that a model reads. What comes out depends on the item alone, the length
 * bucket too, so that neighbours in a batch do not matter. Adding a kind: one file beside this one, one line in preprocessors.ts, one member of
 * the union in manifest.ts.
 */
import type { TaskConfig } from '../../core/task-config.ts';
import type { ModelInput } from '../model-port.ts';
import type { ImageSize } from './image/image-geometry.ts';

/** One input of the ONNX graph. The dimensions are those of one item, without the batch; `length` is its length bucket. */
export type InputPort = {
  readonly name: string;
  /** A `float32` port also serves a graph that reads float16: the numbers are rounded when the tensor is made. */
  readonly type: 'int64' | 'float32';
  readonly itemDimensions: readonly (number | 'length')[];
};

/** The values of one item for one port; at most as many as its dimensions hold, and zeros stand for the rest. */
export type ItemValues = BigInt64Array | Float32Array;

export type PreparedInput = {
  /** By the names of the ports. */
  readonly values: Readonly<Record<string, ItemValues>>;
  /** Length bucket in which the item is executed; 0 where a model knows no lengths. */
  readonly length: number;
  /** How many places of the length bucket the item itself takes: the rest is padding, which pooling passes over. */
  readonly tokens: number;
  /** Of an image, for results that lie on it: its size as it came, upright, and what was asked about it. */
  readonly picture?: { readonly size: ImageSize; readonly config: TaskConfig };
};

export type Preprocessor = {
  readonly ports: readonly InputPort[];
  /** Throws or rejects with LS_MODEL_INPUT and other errors whose cause is the input. */
  readonly prepare: (input: ModelInput) => PreparedInput | Promise<PreparedInput>;
};

/** The shortest executed length that holds so many places; the longest where none does, which the manifest rules out. */
export function lengthBucket(length: number, lengths: readonly number[]): number {
  return lengths.find((bucket) => bucket >= length) ?? lengths.at(-1) ?? 0;
}
