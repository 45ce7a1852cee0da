/**
 * The image of a media event, for every task that looks at images. Whether there are bytes, and whether they are an image, is found out where
 * they are decoded (LS_IMAGE_* errors), in the inference worker.
 */
import { taskError } from '../core/errors/task.ts';
import type { ModelInput } from '../models/model-port.ts';
import type { TaskEvent } from './task.ts';

/** Throws LS_TASK_INPUT. */
export function imageInput(task: string, event: TaskEvent): Extract<ModelInput, { kind: 'image' }> {
  if (event.kind !== 'media') throw taskError('LS_TASK_INPUT', `${task} takes media events, not ${event.kind} events`, { task, field: 'content' });
  return { kind: 'image', bytes: event.content, contentType: event.event.contentType };
}
