/**
 * What browsers are told with every answer: nothing here is a page, to be framed, or to be taken for what it is not (OWASP, REST security). They are always
 * the same, so that nothing is made up for a request.
 */
import type { FastifyInstance } from 'fastify';

const always = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;
/** A year (RFC 6797). */
const withTls = { ...always, 'strict-transport-security': 'max-age=31536000' } as const;

/** @returns for what no hook sees. */
export function addSecurityHeaders(server: FastifyInstance, { isTls }: { readonly isTls: boolean }): Readonly<Record<string, string>> {
  const headers = isTls ? withTls : always;
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  return headers;
}
