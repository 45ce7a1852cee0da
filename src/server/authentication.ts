/** Who may ask for what. A route says the scope that it needs, or that it is open to all; one that says nothing is not added. */
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { ApiScope } from '../core/api-scopes.ts';
import { serverError } from '../core/errors/server.ts';
import { createKeyRing, type ApiKey, type KeyRing } from './api-keys.ts';

declare module 'fastify' {
  /* eslint-disable @typescript-eslint/consistent-type-definitions -- What is there already can be added to in no other way. */
  interface FastifyContextConfig {
    /** `open`: for everybody, without a key. */
    scope?: ApiScope | 'open';
  }
  interface FastifyRequest {
    /** Whose key the request has; null where none is needed. */
    apiKey: ApiKey | null;
  }
  /* eslint-enable @typescript-eslint/consistent-type-definitions */
}

/** As clients of the interfaces that are emulated here send their keys, beside `authorization: Bearer KEY`. */
const keyHeaders = ['x-api-key', 'api-key', 'prediction-key', 'ocp-apim-subscription-key'] as const;

export type AuthenticationOptions = { readonly keys: readonly ApiKey[]; readonly host: string; readonly corsOrigins: readonly string[] };

/**
 * @param host that is listened on. Without keys everything is open to this machine alone: on a loopback address, and to requests that name one, because
 *   web pages of others could otherwise have a browser send requests here under a name of theirs (DNS rebinding).
 */
export function addAuthentication(server: FastifyInstance, { keys, host, corsOrigins }: AuthenticationOptions): void {
  const ring = createKeyRing(keys);
  const isOpen = ring.isEmpty && isLoopback(host);
  server.decorateRequest('apiKey', null);
  const routes: RouteOptions[] = [];
  server.addHook('onRoute', (route) => void routes.push(route));
  // Later, because what adds routes may say it for all of them.
  server.addHook('onReady', (done) => {
    const silent = routes.find(({ config }) => config?.scope === undefined);
    done(silent && new Error(`the route ${String(silent.method)} ${silent.url} does not say who may use it`));
  });
  server.addHook('onRequest', (request, _reply, done) => {
    const { scope } = request.routeOptions.config;
    // Where there is no route, the answer says so.
    if (scope === 'open' || scope === undefined) done();
    else done(isOpen ? refusalOfStranger(request, corsOrigins) : admitByKey(ring, request, scope));
  });
}

/** Why the request is refused, if so; otherwise it has its key. */
function admitByKey(ring: KeyRing, request: FastifyRequest, scope: ApiScope): Error | undefined {
  const given = keyIn(request);
  const key = given === undefined ? undefined : ring.find(given);
  if (key === undefined) return serverError('LS_SERVER_KEY', given === undefined ? 'the request has no API key' : 'the API key of the request is not known');
  request.apiKey = key;
  if (!key.scopes.includes(scope)) return serverError('LS_SERVER_SCOPE', `the API key ${key.name} has not the scope ${scope}`, { key: key.name, scope });
  return undefined;
}

function keyIn({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  for (const name of keyHeaders) {
    const value = headers[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  const address = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Without keys: why the request is refused, if so. */
function refusalOfStranger({ headers, hostname }: FastifyRequest, corsOrigins: readonly string[]): Error | undefined {
  if (headers.host !== undefined && !isLoopback(hostname.replace(/:\d+$/, ''))) return serverError('LS_SERVER_HOST', `the request asks for ${hostname}, and has no API key`);
  // Browsers say which page a request comes from: those of others may send, without being able to read an answer.
  const { origin, 'sec-fetch-site': site } = headers;
  // What a page only shows, such as an image, has no origin.
  const isOwn = origin === undefined ? site !== 'cross-site' : corsOrigins.includes(origin) || (URL.canParse(origin) && isLoopback(new URL(origin).hostname));
  return isOwn ? undefined : serverError('LS_SERVER_HOST', 'the request comes from a web page of another host, and has no API key');
}
