/** A text gets every label of the model with its score, the highest first; equal scores stay in the order of the model's labels. */
import { labelledScores, textInput, type Task } from './task.ts';

const name = 'text-classification';

export const textClassification: Task = {
  name,
  accepts: ['text'],
  produces: 'label',
  input: (event) => textInput(name, event),
  output: (output, model) => {
    // The sort is stable, which keeps ties in label order.
    const labels = labelledScores(name, output, model).sort((left, right) => right.score - left.score);
    return { kind: 'label', result: { 'labelstream.v1.Classification': { labels } } };
  },
};
