/** Some clients say that every body is JSON, or a form, also of an empty one. An operation that takes none, or may do without, does not mind. */
import type { FastifyInstance } from 'fastify';

const saidOfNothing = /^application\/(?:json|x-www-form-urlencoded)\b/i;

function takesNone(body: unknown): boolean {
  return body === undefined || ((body as { readonly anyOf?: readonly { readonly type?: unknown }[] }).anyOf?.some(({ type }) => type === 'null') ?? false);
}

export function addEmptyBodies(server: FastifyInstance): void {
  server.addHook('onRequest', ({ headers, routeOptions: { schema } }, _reply, done) => {
    const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
    // Without a type it is not read.
    if (isEmpty && takesNone(schema?.body) && schema?.consumes === undefined && saidOfNothing.test(headers['content-type'] ?? '')) delete headers['content-type'];
    done();
  });
}
