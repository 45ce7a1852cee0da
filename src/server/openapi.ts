/** The OpenAPI 3.1 document, made from the schemas that validate requests and write answers, and Swagger UI, which needs nothing from elsewhere. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import type { Api, FailureFormat } from './http-port.ts';

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
    transform: ({ schema, url, route: { config = {} } }) => ({ schema: documented({ ...(schema as RouteSchema | undefined), ...config.documented }, config.scope, config.failures), url }),
  });
  await server.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'open' };
      route.schema = { ...route.schema, hide: true };
    });
    await scope.register(swaggerUi, { routePrefix: documentsPath, staticCSP: true });
  });
}

type RouteSchema = { readonly response?: object; readonly security?: unknown };

/** What every operation may answer, and what it needs. */
function documented(given: RouteSchema, scope: string | undefined, failures: FailureFormat | undefined): object {
  const failure = failures && { description: 'A failure.', content: { [failures.mediaType]: { schema: failures.schema } } };
  const response = { ...(failure && { '4xx': failure, '5xx': failure }), ...given.response };
  return scope === 'open' || scope === undefined ? { ...given, response } : { ...given, security: [{ key: [] }], response };
}
