/** What is where on an image, the surest first: of the classes of the model, or of those that are asked for. */
import { taskError } from '../core/errors/task.ts';
import { imageInput } from './image-input.ts';
import type { Task } from './task.ts';

const name = 'object-detection';

export const objectDetection: Task = {
  name,
  accepts: ['media'],
  produces: 'label',
  text: 'none',
  classes: 'optional',
  input: (event, { classes, config = {} } = {}) => ({ ...imageInput(name, event), config, ...(classes === undefined ? {} : { classes }) }),
  output: (output, model) => {
    if (output.kind !== 'detections') {
      throw taskError('LS_TASK_OUTPUT', `${name} needs boxes; the model ${model.name} gives ${output.kind}`, { task: name, model: model.name });
    }
    const { boxes, labels, scores } = output;
    return { kind: 'label', result: { 'labelstream.v1.Detection': { boxes: boxes.map((box) => [...box]), labels: [...labels], scores: [...scores] } } };
  },
};
