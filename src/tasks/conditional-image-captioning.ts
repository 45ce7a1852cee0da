/** How a text goes on that was begun about an image: `a photo of`, or a question and `Answer:`. */
import { taskError } from '../core/errors/task.ts';
import { shortTextLengthMax } from '../core/short-text.ts';
import { fillTemplate } from '../core/templates.ts';
import { captionTask } from './caption-task.ts';
import type { Task, TaskEvent, TaskParameters } from './task.ts';

export const conditionalImageCaptioning: Task = { ...captionTask({ name: 'conditional-image-captioning', text: prefixOf }), text: 'needed', classes: 'none' };

/** Throws LS_TASK_INPUT. */
function prefixOf(task: string, { event }: TaskEvent, { text }: TaskParameters): string {
  const { source, attributes } = event;
  const prefix = text === undefined ? undefined : fillTemplate(text, { fields: { source }, attributes, labels: new Map() });
  if (prefix === undefined || prefix.trim() === '') {
    throw taskError('LS_TASK_INPUT', `${task}: there is no text to begin with: ${text?.text ?? 'the step has none'} gives nothing`, { task, field: 'attributes' });
  }
  if (prefix.length <= shortTextLengthMax) return prefix;
  const message = `${task}: the text to begin with has ${prefix.length} UTF-16 units; at most ${shortTextLengthMax} are allowed`;
  throw taskError('LS_TASK_INPUT', message, { task, field: 'attributes', length: prefix.length });
}
