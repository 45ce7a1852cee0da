/**
 * The task port. A task says which events it takes, what it asks of a model and what it makes of the answer; it is pure, and its input and
 * output have one shape whatever the model, so that swapping a model changes no consumer (ARCHITECTURE.md). Adding a task: one file beside this
 * one, one line in registry.ts.
 */
import { taskError } from '../core/errors/task.ts';
import type { LabelEvent, MediaEvent, RecordEvent, TextEvent } from '../core/events.generated.ts';
import type { ModelDescription, ModelInput, ModelOutput } from '../models/model-port.ts';

export type TaskEvent =
  | { readonly kind: 'media'; readonly event: MediaEvent }
  | { readonly kind: 'text'; readonly event: TextEvent }
  | { readonly kind: 'record'; readonly event: RecordEvent };

type TaskEventKind = TaskEvent['kind'];

export type TaskResult =
  | { readonly kind: 'features'; readonly vector: Float32Array }
  | { readonly kind: 'label'; readonly result: LabelEvent['result'] };

export type Task = {
  /** As routes and manifests write it. */
  readonly name: string;
  readonly accepts: readonly TaskEventKind[];
  readonly produces: 'features' | 'label';
  /** Throws LS_TASK_INPUT, which names the field. */
  readonly input: (event: TaskEvent) => ModelInput;
  /** Throws LS_TASK_OUTPUT: the model is not one for this task. */
  readonly output: (output: ModelOutput, model: ModelDescription) => TaskResult;
};

/** The longest text that a task takes, in UTF-16 units: far above what a model reads, and small enough to be cut into subwords at once. */
export const textLengthMax = 100_000;

/** The text of an event, for every task that reads texts. */
export function textInput(task: string, event: TaskEvent): ModelInput {
  if (event.kind !== 'text') throw taskError('LS_TASK_INPUT', `${task} takes text events, not ${event.kind} events`, { task, field: 'text' });
  const { text } = event.event;
  if (text.trim() === '') throw taskError('LS_TASK_INPUT', `${task}: the field text is empty`, { task, field: 'text' });
  if (text.length > textLengthMax) {
    const message = `${task}: the field text has ${text.length} UTF-16 units; at most ${textLengthMax} are allowed`;
    throw taskError('LS_TASK_INPUT', message, { task, field: 'text', length: text.length });
  }
  return { kind: 'text', text };
}

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
