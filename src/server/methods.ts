/** A path that is there, asked with a method that it does not take: 405, and the methods that it takes (RFC 9110, 15.5.6). */
import type { FastifyInstance } from 'fastify';
import { serverError } from '../core/errors/server.ts';

export function addMethodAnswers(server: FastifyInstance): void {
  const methodsOf = new Map<string, Set<string>>();
  server.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsOf.set(url, methods);
  });
  let patterns: readonly { readonly pattern: RegExp; readonly methods: ReadonlySet<string> }[] | undefined;
  // Before anything of the request is looked at: its body is nobody's.
  server.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const [path = ''] = request.url.split('?', 1);
    patterns ??= [...methodsOf].map(([url, methods]) => ({ pattern: patternOf(url), methods }));
    const methods = new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap((each) => [...each.methods]));
    if (methods.size > 0) reply.header('allow', [...methods].sort().join(', '));
    done(
      methods.size === 0
        ? serverError('LS_SERVER_NOT_FOUND', `there is nothing at ${path}`, { path })
        : serverError('LS_SERVER_METHOD', `${path} takes ${[...methods].sort().join(', ')}, not ${request.method}`, { path, method: request.method }),
    );
  });
}

/** Of a route such as `/api/models/:model/start`. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => (part === '*' ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/:[A-Za-z]+/g, '[^/]+')));
  return new RegExp(`^${parts.join('/')}$`);
}
