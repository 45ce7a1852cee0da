/** What a task asks of a model: one item in, one result out; batching, workers and formats are behind it. */

export type ModelInput =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'values'; readonly values: Readonly<Record<string, number>> }
  /** An encoded image (JPEG, PNG, WebP), and what its producer says it is. */
  | { readonly kind: 'image'; readonly bytes: Uint8Array; readonly contentType: string };

export type ModelOutput =
  | { readonly kind: 'vector'; readonly vector: Float32Array }
  /** One score per label of the model, in the order of its labels. */
  | { readonly kind: 'scores'; readonly scores: Float32Array };

export type ModelDescription = {
  /** The name that the configuration binds it to. */
  readonly name: string;
  /** The model's own name, from its manifest: with the version, what results and generations are named by. */
  readonly model: string;
  readonly task: string;
  readonly version: string;
  readonly labels: readonly string[];
  /** Length of its vectors; 0 where it gives none. */
  readonly dimensions: number;
  /** An item's result depends on the item alone (SEMANTICS.md, rule 6). */
  readonly reproducible: boolean;
};

/** In the order in which they are served: somebody waits for an interactive item; a stream waits for nobody in particular. */
export const priorities = ['interactive', 'stream'] as const;

export type Priority = (typeof priorities)[number];

/** A model that is reloaded stays ready: the old one serves until the new one does. */
export const modelStates = ['unloaded', 'loading', 'ready', 'unloading', 'failed'] as const;

export type ModelState = (typeof modelStates)[number];

export type RunOptions = {
  /** Aborted, it frees the place in the queue. */
  readonly signal: AbortSignal;
  /** Without it: stream. */
  readonly priority?: Priority;
};

export type Models = {
  /** Throws LS_MODEL_UNKNOWN. */
  readonly describe: (name: string) => ModelDescription;
  /** Waits for a model that is not loaded, or is being unloaded. Rejects with LS_MODEL_* errors. */
  readonly run: (name: string, input: ModelInput, options: RunOptions) => Promise<ModelOutput>;
};
