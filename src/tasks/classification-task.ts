/** Every task that gives an event all labels of the model with their scores, the highest first; equal scores stay in the order of the model's labels. */
import { labelledScores, type Task, type TaskInput } from './task.ts';

type ClassificationTask = Pick<Task, 'name' | 'accepts'> & { readonly input: TaskInput };

export function classificationTask({ name, accepts, input }: ClassificationTask): Task {
  return {
    name,
    accepts,
    produces: 'label',
    input: (event) => input(name, event),
    output: (output, model) => {
      // The sort is stable, which keeps ties in label order.
      const labels = labelledScores(name, output, model).sort((left, right) => right.score - left.score);
      return { kind: 'label', result: { 'labelstream.v1.Classification': { labels } } };
    },
  };
}
