/** The text of an event, for every task that reads texts. */
import { taskError } from '../core/errors/task.ts';
import type { ModelInput } from '../models/model-port.ts';
import type { TaskEvent } from './task.ts';

/** The longest text that a task takes, in UTF-16 units: far above what a model reads, and small enough to be cut into subwords at once. */
export const textLengthMax = 100_000;

/** Throws LS_TASK_INPUT. */
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
