/** The OpenAPI 3.1 document, made from the schemas that validate requests and write answers, and Swagger UI, which needs nothing from elsewhere. */
import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import { codesOf } from './answers.ts';
import type { Api, FailureFormat } from './http-port.ts';
import { problemDetails } from './problems.ts';

export type OpenApiOptions = { readonly version: string; readonly apis: readonly Pick<Api, 'name' | 'description'>[] };

const documentsPath = '/docs';

/** Before the routes that are to be in it. */
export async function addOpenApi(server: FastifyInstance, { version, apis }: OpenApiOptions): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'labelstream', version, description: 'Labels, live clusters and models by HTTP. Failures are problem details (RFC 9457), but where an interface that is emulated prescribes others.' },
      tags: apis.map(({ name, description }) => ({ name, description })),
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key. `x-api-key` is taken, too.' } } },
    },
    transform: ({ schema, url, route: { config = {}, method } }) => ({ schema: documented({ ...(schema as RouteSchema | undefined), ...config.documented }, { config, method: String(method), url }), url }),
  });
  await server.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'open' };
      route.schema = { ...route.schema, hide: true };
    });
    await scope.register(swaggerUi, { routePrefix: documentsPath, staticCSP: true });
  });
}

type RouteSchema = { readonly response?: object };
type Operation = { readonly config: FastifyContextConfig; readonly method: string; readonly url: string };

/** What an operation may answer, and what it needs. */
function documented(given: RouteSchema, { config, method, url }: Operation): object {
  const response = { ...failuresOf({ config, method, url }), ...given.response };
  return config.scope === 'open' || config.scope === undefined ? { ...given, response } : { ...given, security: [{ key: [] }], response };
}

/** Before a route is known: an interface that is emulated cannot say how they are written. */
const ofConnection = [408, 431];

function failuresOf({ config: { failures, isEndless = false, refusals = [], scope }, method, url }: Operation): object {
  if (failures === undefined) return {};
  // A plugin may answer whatever it likes.
  if (refusals === 'any') return { '4xx': answerIn(failures, 'A failure.'), '5xx': answerIn(failures, 'A failure.') };
  const statuses = [
    ...[400, 500],
    ...(scope === 'open' ? [] : [401, 403, 421, 429, 503]),
    ...(scope === 'open' || isEndless ? [] : [504]),
    ...(method === 'GET' ? [] : [413, 415]),
    ...(url.includes(':') ? [404] : []),
    ...refusals,
    ...(failures.ownStatuses ?? []),
  ];
  return {
    ...Object.fromEntries(statuses.map((status) => [status, answerIn(failures, descriptionOf(status))])),
    ...Object.fromEntries(ofConnection.map((status) => [status, answerIn(problemDetails, descriptionOf(status))])),
  };
}

const answerIn = ({ mediaType, schema }: FailureFormat, description: string): object => ({ description, content: { [mediaType]: { schema } } });
const descriptionOf = (status: number): string => [STATUS_CODES[status], ...codesOf(status)].join(', ');
