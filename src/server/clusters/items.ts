/** Where an item is, why, and what is near it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { askAll, type ItemPlace, type PartitionView } from '../../stages/cluster/cluster-queries.ts';
import type { Api } from '../http-port.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import { itemDistance, itemRole, unknown, type AskedClusters } from './asked-clusters.ts';
import { askOptionsOf, heldAt, heldAtOf, waiting, type Waiting } from './held-at.ts';

const neighboursMax = 1_000;
/** Within eps, in the reason for a place. */
const neighboursInReason = 20;

const origin = z.strictObject({ topic: z.string(), incarnation: z.string(), partition: z.int(), sequence: z.string(), appendTime: z.number() });
const reason = z.strictObject({
  metric: z.enum(['cosine', 'euclidean']),
  eps: z.number(),
  minPoints: z.int(),
  projectionSha256: z.string().nullable().describe('Of what vectors went through before distances were taken.'),
  density: z.int().describe('How many items are within eps, itself counted: it is core from minPoints on.'),
  nearestCore: itemDistance.nullable(),
  neighbours: z.array(itemDistance).describe('Within eps, the nearest first.'),
  changedAt: z.strictObject({ partition: z.int(), sequence: z.string() }).describe('The record of features that last changed its cluster.'),
});
const itemPlace = z.strictObject({
  family: z.string(),
  collection: z.string(),
  inputId: z.string(),
  role: itemRole,
  clusterId: z.string().nullable().describe('Null: noise.'),
  clusterName: z.string().nullable(),
  preview: z.string().nullable().describe('The start of a text.'),
  origin: origin.describe('The very first record that it came from.'),
  reason: reason.nullable(),
});
const itemAnswer = z.strictObject({ itemId: z.string(), places: z.array(itemPlace).describe('Once for each family of collections that holds it.'), heldAt });
const neighboursQuery = z.strictObject({ ...waiting, count: z.coerce.number().int().min(1).max(neighboursMax).default(10) });
const neighbours = z.strictObject({ family: z.string(), collection: z.string(), neighbours: z.array(itemDistance).describe('The nearest first, within eps or not; by cosine distance, or euclidean, not squared.') });
const neighboursAnswer = z.strictObject({ itemId: z.string(), places: z.array(neighbours), heldAt });

export function items(clusters: AskedClusters): Api {
  return {
    name: 'items',
    description: 'Items, by their itemId (SOURCE/ID, in a path SOURCE%2FID).',
    add: (server) => {
      addItem(server, clusters);
      addNeighbours(server, clusters);
    },
  };
}

type ItemReason = ReturnType<PartitionView['reasons']>[number];

const tags = ['items'];
const config = { scope: 'read' } as const;

function addItem(server: FastifyInstance, clusters: AskedClusters): void {
  const url = '/items/:item';
  const schema = { tags, summary: 'Where an item is, and why', params: paramsOf(url), querystring: schemaOf(z.strictObject(waiting)), response: { 200: schemaOf(itemAnswer) } };
  server.get<{ Params: { item: string }; Querystring: Waiting }>(url, { config, schema }, async ({ params: { item: itemId }, query, ending }) => {
    const { value, heldAt: held } = await askAll(clusters(), (view) => ({ places: view.item(itemId), reasons: view.reasons(itemId, neighboursInReason) }), askOptionsOf(query, ending));
    const places = value.flatMap(({ places: found, reasons }, index) => found.map((place) => placeOf(place, reasons, held[index]?.partition ?? index)));
    if (places.length === 0) throw unknown('item', itemId);
    return { itemId, places, heldAt: heldAtOf(held) };
  });
}

function placeOf({ family, collection, inputId, role, clusterId, clusterName, preview, origin: from }: ItemPlace, reasons: readonly ItemReason[], partition: number): z.output<typeof itemPlace> {
  const found = reasons.find((each) => each.family === family);
  return { family, collection, inputId, role, clusterId, clusterName, preview, origin: { ...from, sequence: String(from.sequence) }, reason: found === undefined ? null : reasonOf(found, partition) };
}

function reasonOf({ metric, eps, minPoints, projectionSha256, density, nearestCore, neighbours: near, changedAt }: ItemReason, partition: number): z.output<typeof reason> {
  return { metric, eps, minPoints, projectionSha256, density, nearestCore, neighbours: [...near], changedAt: { partition, sequence: String(changedAt) } };
}

function addNeighbours(server: FastifyInstance, clusters: AskedClusters): void {
  const url = '/items/:item/neighbours';
  const schema = { tags, summary: 'What is nearest to an item', params: paramsOf(url), querystring: schemaOf(neighboursQuery), response: { 200: schemaOf(neighboursAnswer) } };
  server.get<{ Params: { item: string }; Querystring: z.output<typeof neighboursQuery> }>(url, { config, schema }, async ({ params: { item: itemId }, query, ending }) => {
    const { value, heldAt: held } = await askAll(clusters(), (view) => view.nearest(itemId, query.count), askOptionsOf(query, ending));
    const places = value.flat();
    if (places.length === 0) throw unknown('item', itemId);
    return { itemId, places, heldAt: heldAtOf(held) };
  });
}
