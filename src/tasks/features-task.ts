/** Every task that turns an event into the vector that clustering compares. The vector is the model's own: not scaled, not rounded. */
import { taskError } from '../core/errors/task.ts';
import type { Task, TaskInput } from './task.ts';

type FeaturesTask = Pick<Task, 'name' | 'accepts'> & { readonly input: TaskInput };

export function featuresTask({ name, accepts, input }: FeaturesTask): Task {
  return {
    name,
    accepts,
    produces: 'features',
    input: (event) => input(name, event),
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
}
