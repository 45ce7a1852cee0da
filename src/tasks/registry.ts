/** Every task of the program by its name. */
import { taskError } from '../core/errors/task.ts';
import { imageClassification } from './image-classification.ts';
import { imageFeatures } from './image-features.ts';
import { recordPrediction } from './record-prediction.ts';
import type { Task } from './task.ts';
import { textClassification } from './text-classification.ts';
import { textFeatures } from './text-features.ts';

const all = [textFeatures, textClassification, imageFeatures, imageClassification, recordPrediction];

export const tasks: ReadonlyMap<string, Task> = new Map(all.map((task) => [task.name, task]));

/** Throws LS_TASK_UNKNOWN. */
export function taskNamed(name: string): Task {
  const task = tasks.get(name);
  if (task === undefined) {
    throw taskError('LS_TASK_UNKNOWN', `there is no task ${JSON.stringify(name)}; the tasks are ${[...tasks.keys()].join(', ')}`, { task: name });
  }
  return task;
}
