/**
 * The port of a model that a plugin runs. It is opened in each inference worker, in a thread of its own, and asked there; what waits, how it is put
 * together, what is tried again and what is refused is this program's to do.
 */
import type { ModelInput, ModelOutput } from '../model-port.ts';

/** As onnxruntime has them: float32 in a Float32Array, int64 in a BigInt64Array, bool in a Uint8Array. */
export type PluginTensor =
  | { readonly type: 'float32'; readonly data: Float32Array; readonly dims: readonly number[] }
  | { readonly type: 'int64'; readonly data: BigInt64Array; readonly dims: readonly number[] }
  | { readonly type: 'bool'; readonly data: Uint8Array; readonly dims: readonly number[] };

export type PluginSession = {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Tensors by name. Rejects with LS_MODEL_RUN, and with LS_PLUGIN_TENSOR where the graph gives another type. */
  readonly run: (feeds: Readonly<Record<string, PluginTensor>>) => Promise<Readonly<Record<string, PluginTensor>>>;
};

/** red, green, blue (0 to 255) of each pixel, row by row, of the upright image; transparent pixels on black. */
export type DecodedImage = { readonly width: number; readonly height: number; readonly pixels: Uint8Array };

type EncodedContent = { readonly bytes: Uint8Array; readonly contentType: string };

export type PluginModelParts = {
  /** `settings` of the manifest: not checked. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Every file of the manifest by its path, of the hash that is listed there. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly labels: readonly string[];
  /** An ONNX file of the manifest, with one thread, as all models have; released with the model. Rejects with LS_MODEL_LOAD, LS_MODEL_EXTERNAL_DATA or LS_MODEL_PROVIDER. */
  readonly openSession: (path: string) => Promise<PluginSession>;
  /** Within the limits of the program. Rejects with LS_IMAGE_*. */
  readonly decodeImage: (image: EncodedContent) => Promise<DecodedImage>;
  /** One channel of 16,000 samples a second, from -1 to 1. Rejects with LS_AUDIO_*. */
  readonly decodeAudio: (sound: EncodedContent) => Promise<Float32Array>;
  /** What to throw, or to answer, where it is the item that is wrong: it becomes a dead letter, and nothing is tried again. */
  readonly inputError: (message: string) => Error;
};

export type OpenPluginModel = {
  /**
   * Element i is the answer to item i, or the error that it alone fails with; at most `batchItemsMax` of the manifest come at once. What rejects fails all of
   * them. Nothing that an item is answered may depend on those beside it where the manifest says `reproducible`.
   */
  readonly answer: (items: readonly ModelInput[]) => Promise<readonly (ModelOutput | Error)[]>;
  readonly release?: () => Promise<void>;
};

export type PluginModel = { readonly open: (parts: PluginModelParts) => Promise<OpenPluginModel> };
