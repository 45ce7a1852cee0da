/** What operators say to the clusters: names, items to forget, parameters. Each is a record in the log, which is there before the answer is. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { cosineDistanceMax } from '../../core/distances.ts';
import type { Metric } from '../../core/events.generated.ts';
import { serverError } from '../../core/errors/server.ts';
import { isItemId } from '../../core/ids.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import { waitForJson, waitForSchema, type WaitFor } from './waiting.ts';

type ClusterPlace = { readonly family: string; readonly collection: string; readonly clusterId: string };

export type ControlsHost = {
  /** The living cluster that an id resolves to; undefined where there is none. */
  readonly clusterFamily: (clusterId: string, signal: AbortSignal) => Promise<ClusterPlace | undefined>;
  /** @param name none: it has no name any more. */
  readonly nameCluster: (cluster: ClusterPlace, name: string) => Promise<readonly WaitFor[]>;
  readonly forget: (items: readonly string[], signal: AbortSignal) => Promise<{
    readonly inCollections: readonly string[];
    readonly stillIn: readonly { readonly place: string; readonly until: string }[];
    readonly waitFor: readonly WaitFor[];
  }>;
  /** Undefined where it is neither configured nor in the log. */
  readonly metricOf: (family: string, signal: AbortSignal) => Promise<Metric | undefined>;
  readonly setParameters: (family: string, parameters: { readonly eps: number | null; readonly minPoints: number | null }) => Promise<readonly WaitFor[]>;
};

const tags = ['administration'];
/** While features are repartitioned, nothing is appended to them. */
const config = { scope: 'admin', refusals: [409] } as const;

export function addControls(server: FastifyInstance, host: ControlsHost): void {
  addClusterNames(server, host);
  addForget(server, host);
  addParameters(server, host);
}

const nameBody = schemaOf(z.strictObject({ name: z.string().max(1_000).regex(/\S/).describe('Not empty; without one, DELETE takes the name away.') }));
const named = schemaOf(z.strictObject({ collection: z.string(), clusterId: z.string().describe('Of the cluster that has the name: one that was merged away is named as its survivor.'), name: z.string().nullable(), waitFor: waitForSchema }));

function addClusterNames(server: FastifyInstance, host: ControlsHost): void {
  const url = '/collections/:collection/clusters/:cluster/name';
  type Params = { readonly collection: string; readonly cluster: string };
  const naming = async ({ collection, cluster: id }: Params, name: string, signal: AbortSignal) => {
    const cluster = await host.clusterFamily(id, signal);
    if (cluster?.collection !== collection) throw serverError('LS_SERVER_NOT_FOUND', `there is no living cluster ${JSON.stringify(id)} in the collection ${JSON.stringify(collection)}`, { collection, cluster: id });
    signal.throwIfAborted();
    const waitFor = waitForJson(await host.nameCluster(cluster, name));
    return { collection, clusterId: cluster.clusterId, name: name === '' ? null : name, waitFor };
  };
  const schema = { tags, params: paramsOf(url), response: { 202: named } };
  server.put<{ Params: Params; Body: { name: string } }>(url, { config, schema: { ...schema, summary: 'Name a cluster', body: nameBody } }, async ({ params, body: { name }, ending }, reply) => {
    if (!name.isWellFormed()) throw serverError('LS_SERVER_REQUEST', 'the name has half of a surrogate pair');
    return reply.code(202).send(await naming(params, name.trim(), ending));
  });
  server.delete<{ Params: Params }>(url, { config, schema: { ...schema, summary: 'Take the name of a cluster away' } }, async ({ params, ending }, reply) => reply.code(202).send(await naming(params, '', ending)));
}

const forgetBody = schemaOf(z.strictObject({ items: z.array(z.string().regex(/^[^/]+\/[\s\S]/).describe('An item, as source/id.')).min(1).max(1_000) }));
const forgotten = schemaOf(
  z.strictObject({
    inCollections: z.array(z.string()).describe('Those of the items that are in a collection now.'),
    stillIn: z.array(z.strictObject({ place: z.string(), until: z.string() })).describe('Where what there was of them still may be, and until when.'),
    waitFor: waitForSchema,
  }),
);

function addForget(server: FastifyInstance, host: ControlsHost): void {
  const schema = { tags, summary: 'Take items out of every collection, with what was published of them up to now', body: forgetBody, response: { 202: forgotten } };
  server.post<{ Body: { items: readonly string[] } }>('/items/forget', { config, schema }, async ({ body: { items }, ending }, reply) => {
    const wrong = items.find((item) => !isItemId(item) || !item.isWellFormed());
    if (wrong !== undefined) throw serverError('LS_SERVER_REQUEST', `${JSON.stringify(wrong)} is no item; it is written as source/id`);
    const { inCollections, stillIn, waitFor } = await host.forget(items, ending);
    return reply.code(202).send({ inCollections, stillIn, waitFor: waitForJson(waitFor) });
  });
}

const parameters = {
  ...schemaOf(z.strictObject({ eps: z.number().positive().optional(), minPoints: z.int().min(1).max(2_147_483_647).optional() }).describe('What is left out stays as it is.')),
  minProperties: 1,
};
const asked = schemaOf(z.strictObject({ family: z.string(), waitFor: waitForSchema }));

function addParameters(server: FastifyInstance, host: ControlsHost): void {
  const url = '/collections/:family/parameters';
  const schema = { tags, summary: 'Ask for other parameters of the collections of a family; they go over to them once those are built', params: paramsOf(url), body: parameters, response: { 202: asked } };
  type Route = { Params: { family: string }; Body: { eps?: number; minPoints?: number } };
  server.put<Route>(url, { config, schema }, async ({ params: { family }, body: { eps = null, minPoints = null }, ending }, reply) => {
    const metric = await host.metricOf(family, ending);
    if (metric === undefined) throw serverError('LS_SERVER_NOT_FOUND', `there is no family of collections ${JSON.stringify(family)}`, { family });
    if (metric === 'cosine' && eps !== null && eps > cosineDistanceMax) throw serverError('LS_SERVER_REQUEST', `no cosine distance is above ${cosineDistanceMax}; eps is ${eps}`, { family, eps });
    ending.throwIfAborted();
    const waitFor = waitForJson(await host.setParameters(family, { eps, minPoints }));
    return reply.code(202).send({ family, waitFor });
  });
}
