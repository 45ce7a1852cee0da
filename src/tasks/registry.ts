/** Every task of the program by its name. */
import { taskError } from '../core/errors/task.ts';
import { automatedSpeechRecognition } from './automated-speech-recognition.ts';
import { conditionalImageCaptioning } from './conditional-image-captioning.ts';
import { imageCaptioning } from './image-captioning.ts';
import { imageClassification } from './image-classification.ts';
import { imageFeatures } from './image-features.ts';
import { objectDetection } from './object-detection.ts';
import { recordPrediction } from './record-prediction.ts';
import type { Task } from './task.ts';
import { textClassification } from './text-classification.ts';
import { textFeatures } from './text-features.ts';
import { zeroShotImageClassification } from './zero-shot-image-classification.ts';

const all = [
  textFeatures,
  textClassification,
  imageFeatures,
  imageClassification,
  imageCaptioning,
  conditionalImageCaptioning,
  zeroShotImageClassification,
  objectDetection,
  automatedSpeechRecognition,
  recordPrediction,
];

export const tasks: ReadonlyMap<string, Task> = new Map(all.map((task: Task) => [task.name, task]));

/** Throws LS_TASK_UNKNOWN. */
export function taskNamed(name: string, known = tasks): Task {
  const task = known.get(name);
  if (task === undefined) {
    throw taskError('LS_TASK_UNKNOWN', `there is no task ${JSON.stringify(name)}; the tasks are ${[...known.keys()].join(', ')}`, { task: name });
  }
  return task;
}
