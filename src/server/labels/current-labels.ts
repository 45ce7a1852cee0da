/** What inputs and items are labelled now, from the view of the topic `labels`. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { CurrentLabel } from '../../views/label-store.ts';
import type { LabelsAnswer, LabelView } from '../../views/label-view.ts';
import type { Api } from '../http-port.ts';
import { paramsOf, schemaOf } from '../schemas.ts';

export type CurrentLabelsOptions = {
  /** Throws LS_SERVER_NOT_READY while it is being opened. */
  readonly view: () => Pick<LabelView, 'labelsOfItem' | 'labelsOfInput'>;
};

const sequence = z.string().describe('A 64-bit number, as text.');
const origin = z.strictObject({ topic: z.string(), incarnation: z.string(), partition: z.int(), sequence, appendTime: z.number().describe('Milliseconds since the epoch.') });

/** Of a LabelEvent. */
const labelFields = {
  id: z.string(),
  inputId: z.string(),
  itemId: z.string(),
  origin,
  routeStep: z.string(),
  task: z.string(),
  model: z.string(),
  modelVersion: z.string(),
  revision: z.strictObject({ epoch: z.int(), number: sequence }),
  result: z.looseObject({}).describe('Under the name of its kind, such as `labelstream.v1.Classification`.'),
};

const label = z.strictObject({
  ...labelFields,
  clusterId: z.string().nullable().optional().describe('Of an assignment: the cluster, as it was told; null for noise.'),
  currentClusterId: z.string().nullable().optional().describe('Of an assignment: the cluster that it has gone on under since.'),
});
const heldAt = z
  .array(
    z.strictObject({
      topic: z.string(),
      partition: z.int(),
      sequence: sequence.nullable().describe('Of the last record that the answer knows of; null: there has been none.'),
      incompleteSince: sequence.nullable().describe('From this sequence on records were gone before they were read, and what they told could still count; null: nothing is missing.'),
    }),
  )
  .describe('What the answer holds for: every record of these partitions up to the sequence, and none after it.');

const answerOfInput = z.strictObject({ inputId: z.string(), labels: z.array(label), heldAt });
const answerOfItem = z.strictObject({ itemId: z.string(), labels: z.array(label), heldAt });

export function currentLabels(options: CurrentLabelsOptions): Api {
  return {
    name: 'labels',
    description: 'What inputs and items are labelled.',
    add: (server) => {
      addInput(server, options);
      addItem(server, options);
    },
  };
}

const config = { scope: 'read' } as const;
const tags = ['labels'];

function addInput(server: FastifyInstance, { view }: CurrentLabelsOptions): void {
  const querystring = schemaOf(z.strictObject({ input: z.string().min(1).describe('The inputId.') }));
  const schema = { tags, summary: 'What an input is labelled now', querystring, response: { 200: schemaOf(answerOfInput) } };
  server.get<{ Querystring: { input: string } }>('/labels', { config, schema }, async ({ query: { input } }) => ({ inputId: input, ...shown(await view().labelsOfInput(input)) }));
}

function addItem(server: FastifyInstance, { view }: CurrentLabelsOptions): void {
  const url = '/items/:id/labels';
  const schema = { tags, summary: 'What an item is labelled now', description: 'The id is SOURCE%2FID: its slash is encoded.', params: paramsOf(url), response: { 200: schemaOf(answerOfItem) } };
  server.get<{ Params: { id: string } }>(url, { config, schema }, async ({ params: { id } }) => ({ itemId: id, ...shown(await view().labelsOfItem(id)) }));
}

function shown({ labels, heldAt: places }: LabelsAnswer) {
  return { labels: labels.map(shownLabel), heldAt: places };
}

function shownLabel({ label: told, currentClusterId }: CurrentLabel) {
  const { clusterId } = (told.result['labelstream.v1.Assignment'] ?? {}) as { readonly clusterId?: string | null };
  return clusterId === undefined ? told : { ...told, clusterId, currentClusterId };
}
