/** What collections and clusters there are, and where a vector would be. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import { askAll } from '../../stages/cluster/cluster-queries.ts';
import type { Api } from '../http-port.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import { itemDistance, itemRole, placesOf, unknown, type AskedClusters } from './asked-clusters.ts';
import { addExport } from './collection-export.ts';
import { askOptionsOf, heldAt, heldAtOf, waiting, type Waiting } from './held-at.ts';

const pageMax = 1_000;
const samplesMax = 20;
/** To find what is near the middle of a cluster takes time. */
const sampledMax = 1_000;
const vectorsMax = 256;

const collection = z.strictObject({
  family: z.string().describe('The collections of one template are a family.'),
  collection: z.string(),
  generation: z.string().describe('Model, projection and parameters in force, by hash.'),
  eps: z.number(),
  minPoints: z.int(),
  itemCount: z.int(),
  clusterCount: z.int(),
  noiseCount: z.int(),
  isFrozen: z.boolean().describe('Whether it has reached its memory budget, and nothing enters it.'),
  pending: z
    .strictObject({ generation: z.string(), eps: z.number(), minPoints: z.int(), projectionSha256: z.string().nullable(), builtSinceMs: z.number().nullable() })
    .nullable()
    .describe('What it goes over to.'),
});
const member = z.strictObject({ itemId: z.string(), role: itemRole, preview: z.string().nullable().describe('The start of a text.') });
const cluster = z.strictObject({
  family: z.string(),
  collection: z.string(),
  clusterId: z.string(),
  name: z.string().nullable(),
  size: z.int().describe('Items.'),
  coreCount: z.int(),
  samples: z.array(member).describe('Items near its middle.'),
});
const placement = z.strictObject({
  family: z.string(),
  collection: z.string(),
  role: itemRole.describe('core: with it, minPoints items are within eps.'),
  clusterId: z.string().nullable().describe('Of the nearest core item within eps.'),
  clusterName: z.string().nullable(),
  nearestCore: itemDistance.nullable(),
});

const page = {
  limit: z.coerce.number().int().min(1).max(pageMax).default(100).describe('Most that are answered.'),
  offset: z.coerce.number().int().min(0).default(0).describe('How many are passed over before.'),
};
const clustersQuery = z.strictObject({
  ...page,
  ...waiting,
  family: z.string().min(1).optional().describe('Where collections of several families have the name.'),
  samples: z.coerce.number().int().min(0).max(samplesMax).default(0).describe('Items near the middle of each; of the 1,000 largest clusters.'),
});
const clusterQuery = z.strictObject({ ...page, ...waiting });
const collectionsAnswer = z.strictObject({ collections: z.array(collection), heldAt });
const clustersAnswer = z.strictObject({ clusters: z.array(cluster).describe('The largest first.'), total: z.int(), heldAt });
const clusterAnswer = cluster.extend({ members: z.array(member).describe('By itemId.'), heldAt });
const vector = z.array(z.number()).min(1).max(65_536).describe('As the model gives it.');
const assignBody = z.strictObject({ vectors: z.array(vector).min(1).max(vectorsMax) });
const assignAnswer = z.strictObject({ placements: z.array(placement).describe('For each vector one, in the order of the vectors; where several families have collections of the name, one after the other.'), heldAt });

export function collections(clusters: AskedClusters): Api {
  return {
    name: 'clusters',
    description: 'Collections, clusters and items, as the records of the stream make them.',
    add: (server) => {
      addCollections(server, clusters);
      addClusters(server, clusters);
      addCluster(server, clusters);
      addAssign(server, clusters);
      addExport(server, clusters);
    },
  };
}

const tags = ['clusters'];
const config = { scope: 'read' } as const;

function addCollections(server: FastifyInstance, clusters: AskedClusters): void {
  const schema = { tags, summary: 'The collections that hold items', querystring: schemaOf(z.strictObject(waiting)), response: { 200: schemaOf(collectionsAnswer) } };
  server.get<{ Querystring: Waiting }>('/collections', { config, schema }, async ({ query, ending }) => {
    const { value, heldAt: held } = await askAll(clusters(), (view) => view.collections(), askOptionsOf(query, ending));
    return { collections: value.flat().sort(byName), heldAt: heldAtOf(held) };
  });
}

type Named = { readonly family: string; readonly collection: string };

const byName = (left: Named, right: Named): number => (left.collection === right.collection ? order(left.family, right.family) : order(left.collection, right.collection));
const order = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

function addClusters(server: FastifyInstance, clusters: AskedClusters): void {
  const url = '/collections/:collection/clusters';
  const schema = { tags, summary: 'The clusters of a collection', params: paramsOf(url), querystring: schemaOf(clustersQuery), response: { 200: schemaOf(clustersAnswer) } };
  server.get<{ Params: { collection: string }; Querystring: z.output<typeof clustersQuery> }>(url, { config, schema }, async ({ params: { collection: name }, query, ending }) => {
    const { family, samples, limit, offset } = query;
    if (samples > 0 && offset + limit > sampledMax) throw serverError('LS_SERVER_REQUEST', `samples are given of the ${sampledMax} largest clusters; offset and limit reach to ${offset + limit}`, { offset, limit });
    const asked = { collection: name, family };
    const { value, heldAt: held } = await askAll(
      clusters(),
      (view) => {
        const found = view.clusters({ ...asked, samplesMax: 0 });
        // Where there is more than one partition, which of theirs are on the page shows only later: as many as the page may reach are described.
        const shown = samples === 0 ? found : view.clusters({ ...asked, samplesMax: samples, countMax: offset + limit });
        return { isKnown: view.familyOf(name) !== undefined, total: found.length, shown };
      },
      askOptionsOf(query, ending),
    );
    if (!value.some(({ isKnown }) => isKnown)) throw unknown('collection', name);
    const found = value.flatMap(({ shown }) => shown).sort((left, right) => right.size - left.size);
    return { clusters: found.slice(offset, offset + limit), total: value.reduce((sum, { total }) => sum + total, 0), heldAt: heldAtOf(held) };
  });
}

function addCluster(server: FastifyInstance, clusters: AskedClusters): void {
  const url = '/collections/:collection/clusters/:cluster';
  const schema = { tags, summary: 'A cluster and its members; one that was merged away finds its survivor', params: paramsOf(url), querystring: schemaOf(clusterQuery), response: { 200: schemaOf(clusterAnswer) } };
  server.get<{ Params: { collection: string; cluster: string }; Querystring: z.output<typeof clusterQuery> }>(url, { config, schema }, async ({ params, query, ending }) => {
    const { value, heldAt: held } = await askAll(clusters(), (view) => view.cluster(params.cluster, query), askOptionsOf(query, ending));
    const found = value.find((cluster) => cluster !== undefined && cluster.collection === params.collection);
    if (found === undefined) throw unknown('cluster', params.cluster);
    return { ...found, heldAt: heldAtOf(held) };
  });
}

function addAssign(server: FastifyInstance, clusters: AskedClusters): void {
  const url = '/collections/:collection/assign';
  const schema = { tags, summary: 'Where vectors would be; nothing is inserted', params: paramsOf(url), querystring: schemaOf(z.strictObject(waiting)), body: schemaOf(assignBody), response: { 200: schemaOf(assignAnswer) } };
  server.post<{ Params: { collection: string }; Querystring: Waiting; Body: z.output<typeof assignBody> }>(url, { config, schema }, async ({ params: { collection: name }, query, body: { vectors }, ending }) => {
    const { places, heldAt: held } = await placesOf(clusters(), name, vectors.map((values) => Float32Array.from(values)), askOptionsOf(query, ending));
    return { placements: places.flat(), heldAt: heldAtOf(held) };
  });
}
