/** How probable each of some classes is for an image, in the order of the classes. */
import { taskError } from '../core/errors/task.ts';
import { imageInput } from './image-input.ts';
import type { Task } from './task.ts';

const name = 'zero-shot-image-classification';

export const zeroShotImageClassification: Task = {
  name,
  accepts: ['media'],
  produces: 'label',
  text: 'none',
  classes: 'needed',
  input: (event, { classes = [], config = {} } = {}) => ({ ...imageInput(name, event), classes, config }),
  output: (output, model) => {
    if (output.kind !== 'zero-shot') {
      throw taskError('LS_TASK_OUTPUT', `${name} needs probabilities of classes; the model ${model.name} gives ${output.kind}`, { task: name, model: model.name });
    }
    return { kind: 'label', result: { 'labelstream.v1.ZeroShot': { classes: [...output.classes], probabilities: [...output.probabilities] } } };
  },
};
