/**
 * A path that is there, asked with a method that it does not take: 405, and the methods that it takes (RFC 9110, 15.5.6); and one that is not there.
 * Below `/v2`, and wherever else all paths are of one interface, both are written as that interface writes failures: its clients read no other.
 */
import type { FastifyInstance, RouteOptions } from 'fastify';
import { serverError } from '../core/errors/server.ts';
import { failedAnswer } from './answers.ts';
import { pathOf } from './exchanges.ts';
import type { FailureFormat } from './http-port.ts';
import { problemDetails } from './problems.ts';

export function addMethodAnswers(server: FastifyInstance): void {
  const routes: RouteOptions[] = [];
  server.addHook('onRoute', (route) => {
    routes.push(route);
  });
  // Of Swagger UI, whose files are under a route of their own.
  server.setNotFoundHandler((request, reply) => problemDetails.write(request, reply, failedAnswer(nothingAt(pathOf(request)))));
  let known: Known | undefined;
  // Before anything of the request is looked at: its body is nobody's.
  server.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const path = pathOf(request);
    // Only now do all routes say of which interface they are.
    known ??= knownOf(routes);
    const methods = [...new Set(known.patterns.filter(({ pattern }) => pattern.test(path)).flatMap((each) => each.methods))].sort();
    if (methods.length > 0) reply.header('allow', methods.join(', '));
    const error =
      methods.length === 0
        ? nothingAt(path)
        : serverError('LS_SERVER_METHOD', `${path} takes ${methods.join(', ')}, not ${request.method}`, { path, method: request.method });
    (known.formats.get(firstPartOf(path)) ?? problemDetails).write(request, reply, failedAnswer(error));
  });
}

const nothingAt = (path: string): Error => serverError('LS_SERVER_NOT_FOUND', `there is nothing at ${path}`, { path });

type Known = {
  readonly patterns: readonly { readonly pattern: RegExp; readonly methods: readonly string[] }[];
  /** By the first part of the path, where all that is below it is of one interface. */
  readonly formats: ReadonlyMap<string, FailureFormat>;
};

function knownOf(routes: readonly RouteOptions[]): Known {
  const formats = new Map<string, FailureFormat>();
  for (const [part, those] of Map.groupBy(routes, ({ url }) => firstPartOf(url))) {
    const [format, ...others] = new Set(those.map(({ config }) => config?.failures));
    if (format !== undefined && others.length === 0) formats.set(part, format);
  }
  return { patterns: routes.map(({ url, method }) => ({ pattern: patternOf(url), methods: [method].flat() })), formats };
}

const firstPartOf = (path: string): string => path.split('/', 2)[1] ?? '';

/** Of a route such as `/api/models/:model/start`. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => (part === '*' ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/:[A-Za-z]+/g, '[^/]+')));
  return new RegExp(`^${parts.join('/')}$`);
}
