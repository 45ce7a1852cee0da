/** For operators: `/metrics` for Prometheus, `/health/live` and `/health/ready` for whatever starts and routes to the process; what this is, and what its failures mean. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { errorCatalogue } from '../core/errors/catalogue.ts';
import { serverError } from '../core/errors/server.ts';
import type { Api } from './http-port.ts';
import { schemaOf } from './schemas.ts';

export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[]; readonly pausedInputs: readonly string[] };

export type OperationsOptions = {
  readonly version: string;
  /** The text for Prometheus, and its content type. */
  readonly metrics: { readonly contentType: string; readonly metrics: () => Promise<string> };
  readonly readiness: () => Readiness;
};

const greeting = z.strictObject({ name: z.string(), version: z.string(), documents: z.string().describe('The path of the interactive description.') });
const liveness = z.strictObject({ status: z.literal('live') });
const readinessAnswer = z.strictObject({ status: z.enum(['ready', 'not ready']), reasons: z.array(z.string()).describe('What is waited for; none when ready.'), pausedInputs: z.array(z.string()).describe('By an operator, which makes nothing unready.') });
const errorDescription = z.strictObject({
  code: z.string(),
  cause: z.enum(['input', 'configuration', 'environment', 'defect']),
  retryable: z.boolean(),
  summary: z.string(),
  remedy: z.string(),
});

export function operations({ version, metrics, readiness }: OperationsOptions): Api {
  return {
    name: 'operations',
    description: 'For operators.',
    add: (server) => {
      const tags = ['operations'];
      const config = { scope: 'open' } as const;
      addMetrics(server, metrics);
      server.get('/', { config, schema: { tags, summary: 'What this is', response: { 200: schemaOf(greeting) } } }, () => ({ name: 'labelstream', version, documents: '/docs' }));
      // Answering at all shows that the main loop turns.
      server.get('/health/live', { config, schema: { tags, summary: 'Whether the process runs', response: { 200: schemaOf(liveness) } } }, () => ({ status: 'live' }));
      server.get('/health/ready', { config, schema: { tags, summary: 'Whether events and requests are taken', response: { 200: schemaOf(readinessAnswer), 503: schemaOf(readinessAnswer) } } }, (_request, reply) => {
        const { ready, reasons, pausedInputs } = readiness();
        return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons, pausedInputs });
      });
      addErrors(server);
    },
  };
}

function addMetrics(server: FastifyInstance, metrics: OperationsOptions['metrics']): void {
  const schema = { tags: ['operations'], summary: 'Metrics, in the text format of Prometheus', response: { 200: { description: 'Metrics.', content: { 'text/plain': { schema: { type: 'string' } } } } } };
  server.get('/metrics', { config: { scope: 'open' }, schema }, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
}

function addErrors(server: FastifyInstance): void {
  const params = schemaOf(z.strictObject({ code: z.string() }));
  const schema = { tags: ['operations'], summary: 'What a code of a failure means', params, response: { 200: schemaOf(errorDescription) } };
  const catalogue: Readonly<Record<string, object>> = errorCatalogue;
  server.get<{ Params: { code: string } }>('/errors/:code', { config: { scope: 'open' }, schema }, ({ params: { code } }) => {
    if (!Object.hasOwn(catalogue, code)) throw serverError('LS_SERVER_NOT_FOUND', `there is no failure with the code ${JSON.stringify(code)}`, { code });
    return { code, ...catalogue[code] };
  });
}
