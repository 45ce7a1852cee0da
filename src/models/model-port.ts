/** What a task asks of a model: one item in, one result out; batching, workers and formats are behind it. */
import type { TaskConfig } from '../core/task-config.ts';

export type ModelInput =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'values'; readonly values: Readonly<Record<string, number>> }
  /** An encoded image (JPEG, PNG, WebP), what its producer says it is, and what is asked about it. */
  | ({ readonly kind: 'image'; readonly bytes: Uint8Array; readonly contentType: string } & Question)
  /** Encoded sound, and what its producer says it is. */
  | { readonly kind: 'audio'; readonly bytes: Uint8Array; readonly contentType: string; readonly config?: TaskConfig };

/** What belongs to a task is checked by the task; what belongs to a model, by the model. */
type Question = {
  /** What the answer begins with. */
  readonly text?: string;
  /** What is to be told apart, or found; for models without classes of their own. */
  readonly classes?: readonly string[];
  readonly config?: TaskConfig;
};

export type ModelOutput =
  | { readonly kind: 'vector'; readonly vector: Float32Array }
  /** One score per label of the model, in the order of its labels. */
  | { readonly kind: 'scores'; readonly scores: Float32Array }
  | ModelAnswer;

/** What is not a row of numbers. */
export type ModelAnswer =
  /** Without the prefix. */
  | { readonly kind: 'caption'; readonly text: string }
  | { readonly kind: 'transcript'; readonly text: string; readonly segments: readonly TranscriptSegment[] }
  /** In the order of the classes that were asked for. */
  | { readonly kind: 'zero-shot'; readonly classes: readonly string[]; readonly probabilities: readonly number[] }
  /** Element i of each is of box i: [xmin, ymin, xmax, ymax] in pixels of the upright image. */
  | { readonly kind: 'detections'; readonly boxes: readonly Box[]; readonly labels: readonly string[]; readonly scores: readonly number[] };

export type TranscriptSegment = { readonly startSeconds: number; readonly endSeconds: number; readonly text: string };

export type Box = readonly [xmin: number, ymin: number, xmax: number, ymax: number];

export type ModelDescription = {
  /** The name that the configuration binds it to. */
  readonly name: string;
  /** The model's own name, from its manifest: with the version, what results and generations are named by. */
  readonly model: string;
  /** The one that it is known by; it may serve others, too. */
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
