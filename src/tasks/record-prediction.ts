/**
 * A row of numbers gets the label that the model finds most probable, the first one where several are equally so. Which fields a model
 * needs is written in its manifest: a missing one is refused there (LS_MODEL_INPUT), here only what no model could use.
 */
import { taskError } from '../core/errors/task.ts';
import { labelledScores, type Task } from './task.ts';

const name = 'record-prediction';

export const recordPrediction: Task = {
  name,
  accepts: ['record'],
  produces: 'label',
  input: (event) => {
    if (event.kind !== 'record') {
      throw taskError('LS_TASK_INPUT', `${name} takes the values of record events, not ${event.kind} events`, { task: name, field: 'values' });
    }
    const { values } = event.event;
    const fields = Object.entries(values);
    if (fields.length === 0) throw taskError('LS_TASK_INPUT', `${name}: the field values is empty`, { task: name, field: 'values' });
    for (const [field, value] of fields) {
      if (!Number.isFinite(value)) {
        throw taskError('LS_TASK_INPUT', `${name}: the field values.${field} is ${value}, not a finite number`, { task: name, field });
      }
    }
    return { kind: 'values', values };
  },
  output: (output, model) => {
    const probabilities = labelledScores(name, output, model);
    let best = probabilities[0];
    for (const candidate of probabilities) if (best !== undefined && candidate.score > best.score) best = candidate;
    return { kind: 'label', result: { 'labelstream.v1.Prediction': { label: best?.label ?? null, value: null, probabilities } } };
  },
};
