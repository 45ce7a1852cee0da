/** `POST /predict`: the label of a row of numbers, as services made of one model answer. */
import { z } from 'zod';
import { runTaskRequest } from '../tasks/task-request.ts';
import type { TaskResult } from '../tasks/task.ts';
import { defaultModelFor, requireModelFor, type TaskDefaults } from './model-choice.ts';
import type { Api } from './http-port.ts';
import { schemaOf } from './schemas.ts';
import type { TaskHost } from './task-host.ts';

const task = 'record-prediction';

const values = schemaOf(z.record(z.string(), z.number()).describe('The fields of the record, as the model names them.'));
const query = schemaOf(z.strictObject({ model: z.string().min(1).optional().describe('By its name; without it the default one for record-prediction.') }));
const answer = schemaOf(
  z.strictObject({
    prediction: z.union([z.string(), z.number()]).describe('The label, or of a regression the number.'),
    probabilities: z.record(z.string(), z.number()).describe('By label.'),
    model: z.string(),
    version: z.string(),
  }),
);

export function predict(host: TaskHost, defaults: TaskDefaults): Api {
  return {
    name: 'prediction',
    description: 'Labels of records.',
    add: (server) => {
      const schema = { tags: ['prediction'], summary: 'Predict the label of a record', querystring: query, body: values, response: { 200: answer } };
      server.post<{ Querystring: { model?: string }; Body: Readonly<Record<string, number>> }>('/predict', { config: { scope: 'predict', refusals: [404] }, schema }, async ({ query: { model: named }, body, ending: signal }) => {
        const models = host.models();
        const model = named === undefined ? defaultModelFor(host, task, defaults) : requireModelFor(host, task, named);
        const result = (await runTaskRequest({ models, tasks: host.tasks }, { task, model, content: { values: body } }, { signal, priority: 'interactive' })) as TaskResult;
        const { model: name, version } = models.describe(model);
        return { ...predictionOf(result), model: name, version };
      });
    },
  };
}

function predictionOf(answered: TaskResult) {
  if (answered.kind !== 'label' || !('labelstream.v1.Prediction' in answered.result)) throw new TypeError(`${task} gave no prediction`);
  const { label, value, probabilities } = answered.result['labelstream.v1.Prediction'];
  return { prediction: label ?? value, probabilities: Object.fromEntries(probabilities.map(({ label: name, score }) => [name, score])) };
}
