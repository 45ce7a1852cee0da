/**
 * `POST /api/extraction`: a custom skill of Azure AI Search, which says of each image what the cluster is called that it would be in. Indexers refuse records that
 * have data together with errors, and expect every record that they sent.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { LabelstreamError } from '../../core/errors/error.ts';
import { serverError } from '../../core/errors/server.ts';
import { askAll } from '../../stages/cluster/cluster-queries.ts';
import { failedAnswer } from '../answers.ts';
import { imageIn } from '../clusters/score.ts';
import { scoresOf, type ScoredContent, type ScoredItem, type ScoringHost } from '../clusters/scoring.ts';
import type { Api, FailureFormat } from '../http-port.ts';
import { problemDetails } from '../problems.ts';
import { schemaOf } from '../schemas.ts';
import type { ClusterLabels } from './cluster-labels.ts';
import type { LabelSource } from './label-source.ts';
import { addExactRecordIds } from './record-ids.ts';

export type SkillOptions = {
  readonly scoring: ScoringHost;
  /** Undefined: the configuration names none, and there is not only one. */
  readonly collection: string | undefined;
  /** Undefined: the names of the clusters alone. */
  readonly labels: LabelSource | undefined;
};

const recordsMax = 1_000;

const record = z.looseObject({
  recordId: z.unknown().describe('Whatever is to come back with the answer.'),
  data: z.looseObject({ images: z.looseObject({ data: z.string().describe('An image: base64, with or without the head of a data URL.') }) }),
});
// What is no record fails alone.
const body = z.looseObject({ values: z.array(z.union([record, z.unknown()])).max(recordsMax) });
const messages = z.union([z.literal(''), z.array(z.string())]);
const answeredRecord = z.strictObject({
  recordId: z.unknown().describe('As it came; null where there was none.'),
  errors: messages,
  data: z.strictObject({ label: z.union([z.literal(''), z.array(z.string())]).describe('Of the cluster; empty: noise.') }).optional().describe('Missing where there are errors.'),
  warnings: messages,
});
const answer = z.strictObject({ values: z.array(answeredRecord).describe('One for each record, in their order.') });

/** As the services do it that these clients know. */
const failures: FailureFormat = {
  ...problemDetails,
  write: (request, reply, failed) => problemDetails.write(request, reply, failed.status === 401 ? { ...failed, status: 403 } : failed),
};

export function skill({ scoring, collection, labels }: SkillOptions): Api {
  return {
    name: 'custom skill',
    description: 'Labels of images, for indexers of Azure AI Search.',
    add: (server, setFailures) => {
      setFailures(server, failures);
      addExactRecordIds(server);
      if (labels !== undefined) readAtStart(server, labels);
      const schema = { tags: ['custom skill'], summary: 'Say of images what their clusters are called', body: schemaOf(body), response: { 200: schemaOf(answer) } };
      server.post<{ Body: z.output<typeof body> }>('/api/extraction', { config: { scope: 'predict', refusals: [404, 409] }, schema }, async ({ body: { values }, ending: signal }) => {
        if (collection === undefined) throw serverError('LS_SERVER_NO_DEFAULT', 'server.skill.collection names no collection, and there is not exactly one of images');
        const known = await labels?.labels(signal);
        const { items } = await scoresOf(scoring, { collection, kind: 'media', items: values.map(contentOf) }, { signal });
        requireAnyAnswer(items);
        const named = known === undefined ? new Map<string, readonly string[]>() : await byLivingCluster(scoring, known, signal);
        return { values: items.map((item, index) => ({ recordId: idOf(values[index]), ...answered(item, named) })) };
      });
    },
  };
}

function readAtStart(server: FastifyInstance, labels: LabelSource): void {
  const starting = new AbortController();
  server.addHook('onReady', (done) => {
    labels.labels(starting.signal).catch(() => undefined);
    done();
  });
  server.addHook('onClose', (_server, done) => {
    starting.abort();
    labels.close();
    done();
  });
}

function contentOf(value: unknown): ScoredContent {
  if (typeof value !== 'object' || value === null) return refused('the record is no object');
  if (!hasId(value)) return refused('the record has no recordId');
  const parsed = record.safeParse(value);
  return parsed.success ? imageIn(parsed.data.data.images.data, 'data.images.data') : refused('the record has no image in data.images.data');
}

const refused = (what: string): ScoredContent => ({ error: serverError('LS_SERVER_REQUEST', what) });

function hasId(value: unknown): value is { readonly recordId: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'recordId');
}

const idOf = (value: unknown): unknown => (hasId(value) ? value.recordId : null);

/** What may be there a little later the indexer is to ask for again, all of it: of a record that has errors it keeps them. */
function requireAnyAnswer(items: readonly ScoredItem[]): void {
  const errors = items.flatMap((item) => ('error' in item ? [item.error] : []));
  const passing = errors.find((error): error is LabelstreamError => error instanceof LabelstreamError && error.retryable);
  if (errors.length === items.length && passing !== undefined) throw passing;
}

const idPattern = /^[0-9a-f]{16}$/;

/** A file may call clusters by ids that were merged away since. */
async function byLivingCluster({ clusters }: ScoringHost, labels: ClusterLabels, signal: AbortSignal): Promise<ClusterLabels> {
  const ids = [...labels.keys()].filter((key) => idPattern.test(key));
  if (ids.length === 0) return labels;
  const { value } = await askAll(clusters(), (view) => ids.map((id) => [view.resolve(id)?.clusterId, labels.get(id) ?? []] as const), { signal });
  const living = value.flat().flatMap(([survivor, of]): (readonly [string, readonly string[]])[] => (survivor === undefined ? [] : [[survivor, of]]));
  // What the file says of the survivor itself comes before what it says of those that it took in.
  return new Map([...living, ...labels]);
}

function answered(item: ScoredItem, labels: ClusterLabels): Omit<z.output<typeof answeredRecord>, 'recordId'> {
  if ('error' in item) {
    const { detail, code } = failedAnswer(item.error);
    return { errors: [`${detail} [${code}]`], warnings: '' };
  }
  const { clusterId, clusterName } = item.place;
  // Also what would found a cluster is in none yet.
  if (clusterId === null) return { errors: '', data: { label: '' }, warnings: '' };
  const label = labels.get(clusterId) ?? (clusterName === null ? undefined : (labels.get(clusterName) ?? [clusterName]));
  if (label !== undefined) return { errors: '', data: { label: [...label] }, warnings: '' };
  return { errors: '', data: { label: [] }, warnings: [`the cluster ${clusterId} has no label`] };
}
