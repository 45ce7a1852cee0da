/** Some clients say that every body is JSON, or a form, also of an empty one. An operation that takes none, or may do without, does not mind. */
import type { FastifyInstance } from 'fastify';

const saidOfNothing = /^application\/(?:json|x-www-form-urlencoded)\b/i;

function takesNone(body: unknown): boolean {
  return body === undefined || ((body as { readonly anyOf?: readonly { readonly type?: unknown }[] }).anyOf?.some(({ type }) => type === 'null') ?? false);
}

export function addEmptyBodies(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    const { headers } = request;
    const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
    if (isEmpty && saidOfNothing.test(headers['content-type'] ?? '')) {
      const { schema } = request.routeOptions;
      // Without a type it is not read.
      if (takesNone(schema?.body) && schema?.consumes === undefined) delete headers['content-type'];
    }
    done();
  });
}
