/**
 * The task port. A task says which events it takes, what it asks of a model and what it makes of the answer; it is pure, and its input and
 * output have one shape whatever the model, so that swapping a model changes no consumer (ARCHITECTURE.md). Adding a task: one file beside this
 * one, one line in registry.ts.
 */
import { taskError } from '../core/errors/task.ts';
import type { LabelEvent, MediaEvent, RecordEvent, TextEvent } from '../core/events.generated.ts';
import type { StepParameters } from '../core/routes.ts';
import type { ModelDescription, ModelInput, ModelOutput } from '../models/model-port.ts';

/** An event with everything that a task may look at. */
export type TaskEvent =
  /** The content is at hand, whether the event holds it or refers to it. */
  | { readonly kind: 'media'; readonly event: MediaEvent; readonly content: Uint8Array }
  | { readonly kind: 'text'; readonly event: TextEvent }
  | { readonly kind: 'record'; readonly event: RecordEvent };

type TaskEventKind = TaskEvent['kind'];

export type TaskResult =
  | { readonly kind: 'features'; readonly vector: Float32Array }
  | { readonly kind: 'label'; readonly result: LabelEvent['result'] };

/** What a step says beside its task. */
export type TaskParameters = StepParameters;

/** What a task takes of an event; throws LS_TASK_INPUT. */
export type TaskInput = (task: string, event: TaskEvent) => ModelInput;

export type Task = {
  /** As routes and manifests write it. */
  readonly name: string;
  readonly accepts: readonly TaskEventKind[];
  readonly produces: 'features' | 'label';
  /** Whether its steps name a text to begin with, or classes; without a word: they must not. */
  readonly text?: 'needed' | 'none';
  readonly classes?: 'needed' | 'optional' | 'none';
  /** Of `config`: one sentence for every mistake. Without it: as task-config.ts says. */
  readonly configMistakes?: (config: Readonly<Record<string, unknown>>) => readonly string[];
  /** Throws LS_TASK_INPUT, which names the field. */
  readonly input: (event: TaskEvent, parameters?: TaskParameters) => ModelInput;
  /** Throws LS_TASK_OUTPUT: the model is not one for this task. */
  readonly output: (output: ModelOutput, model: ModelDescription, parameters?: TaskParameters) => TaskResult;
};

/** The scores of an answer beside the labels that they belong to, in the model's order. */
export function labelledScores(task: string, output: ModelOutput, model: ModelDescription): { label: string; score: number }[] {
  if (output.kind !== 'scores') {
    throw taskError('LS_TASK_OUTPUT', `${task} needs scores; the model ${model.name} gives a ${output.kind}`, { task, model: model.name });
  }
  if (output.scores.length !== model.labels.length) {
    const message = `${task}: the model ${model.name} gave ${output.scores.length} scores for ${model.labels.length} labels`;
    throw taskError('LS_TASK_OUTPUT', message, { task, model: model.name });
  }
  return model.labels.map((label, index) => ({ label, score: output.scores[index] ?? Number.NaN }));
}
