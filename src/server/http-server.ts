/**
 * The HTTP server: what holds for every request whatever it asks for. Interfaces add their routes, each within a scope of its own, where failures are
 * written as the interface prescribes; elsewhere they are problem details.
 *
 *     request -> limits of time, size and connections -> who asks -> how often -> schema -> interface -> answer, log, metrics
 */
import { randomBytes } from 'node:crypto';
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { serverError } from '../core/errors/server.ts';
import { unlessAborted } from '../pipeline/abort.ts';
import type { ApiKey } from './api-keys.ts';
import { addAuthentication } from './authentication.ts';
import { addContentDecoding } from './content-encoding.ts';
import { addEmptyBodies } from './empty-bodies.ts';
import { addExchanges, pathOf, type Exchanges } from './exchanges.ts';
import type { Api, HttpObserver, SetFailures } from './http-port.ts';
import { addJsonBodies } from './json-bodies.ts';
import { addMethodAnswers } from './methods.ts';
import { addOpenApi } from './openapi.ts';
import { failureHandler, problemDetails } from './problems.ts';
import { addSecurityHeaders } from './security-headers.ts';
import type { ServerTls } from './tls.ts';
import { createRefusal } from './unreadable-requests.ts';
import { createValidatorCompiler, validationMessage } from './validation.ts';

export type HttpLimits = {
  /** As sent, and decompressed. */
  readonly bodyBytesMax: number;
  /** For a request to be here in full. */
  readonly requestMsMax: number;
  /** For an answer, from when the request is here; where the body is a form, from its beginning. */
  readonly answerMsMax: number;
  readonly connectionsMax: number;
};

export type HttpServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly limits: HttpLimits;
  readonly keys: readonly ApiKey[];
  /** Of web pages that may use the interfaces from a browser; none: no other than those served here. */
  readonly corsOrigins: readonly string[];
  /** With it: https: alone. */
  readonly tls?: ServerTls | undefined;
  readonly apis: readonly Api[];
  readonly clock: Pick<Clock, 'elapsedMs'>;
  readonly observer: HttpObserver;
};

export type HttpServer = {
  readonly url: string;
  /** From here on only what is open to all is answered. Resolves when nothing else is being answered any more, or the signal aborts. */
  readonly drain: (signal: AbortSignal) => Promise<void>;
  /** Ends every connection. */
  readonly close: () => Promise<void>;
};

/** What Fastify finds wrong before there is a route. */
const handleFailure = failureHandler(problemDetails, () => undefined);
/** Those of all operations, and what clients read of their answers. */
const corsMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
const corsHeaders = ['x-request-id', 'retry-after', 'x-held-at', 'inference-header-content-length', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'];
/** Among others of Node's own that count connections that are too slow. */
const connectionsCheckingMs = 1_000;
const headersMsMax = 10_000;
const keepAliveMs = 72_000;
const requestIdPattern = /^[\w.:-]{1,128}$/;

/** Rejects with LS_SERVER_LISTEN where the address cannot be used, LS_SERVER_PLUGIN where a plugin cannot be added. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port } = options;
  const { server, drain } = await createHttpServer(options);
  try {
    await server.ready();
    const url = await server.listen({ host, port });
    return { url, drain, close: () => server.close() };
  } catch (error) {
    await server.close();
    if (!isListening(error)) throw error;
    throw serverError('LS_SERVER_LISTEN', `cannot listen on ${host}:${port}: ${(error as Error).message}`, { host, port }, { cause: error });
  }
}

/** Whether the system says it, of the address. */
function isListening(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && (error.syscall === 'listen' || error.syscall === 'getaddrinfo' || error.syscall === 'bind');
}

/** Without listening. */
async function createHttpServer(options: HttpServerOptions): Promise<{ readonly server: FastifyInstance; readonly drain: HttpServer['drain'] }> {
  const { limits, keys, host, corsOrigins, tls, apis, version, clock, observer } = options;
  const requestIdOf = requestIds();
  const server = fastify({
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: keepAliveMs,
    // Whoever closes has waited for what is worth it.
    forceCloseConnections: true,
    // Names are looked up, and not found, however long they are; Node has a limit for all of a path.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: (error, request, reply) => {
      exchanges.begin(request, reply);
      reply.headers(securityHeaders);
      void handleFailure(error, request, reply);
    },
    schemaErrorFormatter: (errors, part) => new Error(validationMessage(errors, part)),
    clientErrorHandler: (error, socket) => refuse(error, socket),
    genReqId: ({ headers }) => requestIdOf(headers['x-request-id']),
    ...nodeOptions(limits, tls),
  });
  server.server.maxConnections = limits.connectionsMax;
  server.setValidatorCompiler(createValidatorCompiler());
  server.removeContentTypeParser('text/plain');
  addJsonBodies(server, 'application/json');
  const setFailures: SetFailures = (scope, format) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, failures: format };
    });
    scope.setErrorHandler(failureHandler(format, (request, error) => observer.failed({ requestId: request.id, method: request.method, path: pathOf(request) }, error)));
  };
  setFailures(server, problemDetails);
  const exchanges = addExchanges(server, { answerMsMax: limits.answerMsMax, clock, observer });
  const refuse = createRefusal({ exchangesOf: exchanges.of, newRequestId: () => requestIdOf(undefined), observer });
  const securityHeaders = addSecurityHeaders(server, { isTls: tls !== undefined });
  if (corsOrigins.length > 0) await server.register(cors, { origin: [...corsOrigins], methods: [...corsMethods], exposedHeaders: [...corsHeaders] });
  const drain = addDrain(server, exchanges);
  addAuthentication(server, { keys, host, corsOrigins });
  await server.register(rateLimit, rateLimits(keys));
  addEmptyBodies(server);
  addContentDecoding(server);
  addMethodAnswers(server);
  await addOpenApi(server, { version, apis });
  for (const api of apis) await server.register(async (scope) => api.add(scope, setFailures));
  return { server, drain };
}

function nodeOptions({ requestMsMax }: HttpLimits, tls: HttpServerOptions['tls']): object {
  const headersTimeout = Math.min(headersMsMax, requestMsMax);
  const times = { connectionsCheckingInterval: connectionsCheckingMs, headersTimeout };
  return tls === undefined ? { http: times } : { https: { ...times, handshakeTimeout: headersTimeout, cert: tls.certificate, key: tls.privateKey, minVersion: 'TLSv1.2' } };
}

/** Of whoever asks, so that it can be found in the logs of both; where that says nothing usable, a new one. */
function requestIds(): (given: string | string[] | undefined) => string {
  // 72 bits, as 12 characters: it is written into every answer and message.
  const server = randomBytes(9).toString('base64url');
  let count = 0;
  return (given) => (typeof given === 'string' && requestIdPattern.test(given) ? given : `${server}-${++count}`);
}

/** Probes and scrapes go on while a server is drained. */
function addDrain(server: FastifyInstance, exchanges: Pick<Exchanges, 'ended'>): HttpServer['drain'] {
  const draining = new AbortController();
  server.decorate('draining', draining.signal);
  server.addHook('onRequest', (request, reply, done) => {
    if (!draining.signal.aborted || request.routeOptions.config.scope === 'open') {
      done();
      return;
    }
    reply.header('connection', 'close');
    done(serverError('LS_SERVER_DRAINING', 'the server is stopping'));
  });
  return async (signal) => {
    const ended = exchanges.ended();
    draining.abort();
    await unlessAborted(ended, signal);
  };
}

function rateLimits(keys: readonly ApiKey[]) {
  const limitOf = ({ apiKey }: FastifyRequest): number | undefined => apiKey?.requestsPerMinuteMax;
  return {
    global: keys.some(({ requestsPerMinuteMax }) => requestsPerMinuteMax !== undefined),
    timeWindow: 60_000,
    keyGenerator: ({ apiKey }: FastifyRequest) => apiKey?.name ?? '',
    allowList: (request: FastifyRequest) => limitOf(request) === undefined,
    max: (request: FastifyRequest) => limitOf(request) ?? 0,
    errorResponseBuilder: ({ apiKey }: FastifyRequest, { max, ttl }: { readonly max: number; readonly ttl: number }) =>
      serverError('LS_SERVER_RATE', `the API key ${apiKey?.name ?? ''} has had its ${max} requests of this minute`, { retryAfterSeconds: Math.ceil(ttl / 1000) }),
  };
}
