/** A text becomes the vector that clustering compares. The vector is the model's own: not scaled, not rounded. */
import { taskError } from '../core/errors/task.ts';
import { textInput, type Task } from './task.ts';

const name = 'text-features';

export const textFeatures: Task = {
  name,
  accepts: ['text'],
  produces: 'features',
  input: (event) => textInput(name, event),
  output: (output, model) => {
    if (output.kind !== 'vector') {
      throw taskError('LS_TASK_OUTPUT', `${name} needs a vector; the model ${model.name} gives ${output.kind}`, { task: name, model: model.name });
    }
    if (output.vector.length !== model.dimensions) {
      const message = `${name}: the model ${model.name} gave ${output.vector.length} dimensions instead of ${model.dimensions}`;
      throw taskError('LS_TASK_OUTPUT', message, { task: name, model: model.name });
    }
    return { kind: 'features', vector: output.vector };
  },
};
