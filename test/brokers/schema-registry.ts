/**
 * A schema registry for tests: an HTTP server that follows Confluent's published API as far as a client uses it, with authentication, TLS, and faults on
 * demand. It keeps its port while it is stopped, so that a test can take it away and give it back.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Certificates } from './certificates.ts';
import { claimPorts } from './ports.ts';
import { RegistryError, registrySubjects, type RegisteredSchema, type RegistryAnswer, type RegistrySubjects, type SchemaReference } from './registry-subjects.ts';

export type RegistryOptions = {
  readonly authentication?: { readonly basic: { readonly username: string; readonly password: string } } | { readonly bearer: string };
  /** Under which the API lies, as in `/apis/ccompat/v7`. */
  readonly pathPrefix?: string;
  readonly tls?: { readonly certificates: Certificates; readonly clientCertificateRequired?: boolean };
};

export type RegistryFault = (
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Never answers. */
  | { readonly kind: 'silent' }
  /** By default with the error body that a registry gives: 50001 for 500, 50003 for 503; a proxy's page with `page`. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number; readonly page?: string }
  | { readonly kind: 'cut' }
  /** Announces the whole body, sends half of it and cuts. */
  | { readonly kind: 'cut-body' }
  /** Answers 200 with this body. */
  | { readonly kind: 'body'; readonly body: string }
) & {
  /** How many requests it is for; all by default. */
  readonly times?: number;
  /** Of which method and path, as in `GET /schemas/ids/1`; all by default. */
  readonly on?: RegExp;
};

export type RegistryRequest = { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> };

export type SchemaRegistry = {
  readonly url: string;
  /** What it knows: tests register schemas here without a client. */
  readonly subjects: RegistrySubjects;
  /** Every request so far. */
  readonly requests: () => readonly RegistryRequest[];
  /** Answers the function that ends the fault. */
  readonly fail: (fault: RegistryFault) => () => void;
  /** Connections are refused from here on; what it knows stays. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
const ACCEPTED = [CONTENT_TYPE, 'application/vnd.schemaregistry+json', 'application/json'];

export async function startSchemaRegistry(options: RegistryOptions = {}): Promise<SchemaRegistry> {
  const block = await claimPorts();
  const port = block.ports[0]!;
  const subjects = registrySubjects();
  const requests: RegistryRequest[] = [];
  const faults = new Set<{ readonly fault: RegistryFault; left: number }>();
  const stopped = new AbortController();

  const takeFault = (request: string): RegistryFault | undefined => {
    for (const entry of faults) {
      if (entry.left > 0 && (entry.fault.on?.test(request) ?? true)) {
        entry.left -= 1;
        return entry.fault;
      }
    }
    return undefined;
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const method = request.method ?? '';
    const path = (request.url ?? '').slice((options.pathPrefix ?? '').length);
    requests.push({ method, path, headers: request.headers });
    const body = await text(request);
    const fault = takeFault(`${method} ${path}`);
    if (fault?.kind === 'slow') {
      await delay(fault.delayMs, undefined, { signal: stopped.signal });
    }
    const { status, body: answered } = answerTo(request, options, () => route(subjects, method, path, body));
    const json = JSON.stringify(answered);
    sendWithFault(response, fault, status, json);
  };

  let server = newServer(options, answer);
  const start = async (): Promise<void> => {
    server = newServer(options, answer);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const stop = async (): Promise<void> => {
    if (server.listening) {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  };
  await start();
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}${options.pathPrefix ?? ''}`,
    subjects,
    requests: () => requests,
    fail: (fault) => {
      const entry = { fault, left: fault.times ?? Infinity };
      faults.add(entry);
      return () => faults.delete(entry);
    },
    stop,
    start,
    close: async () => {
      stopped.abort();
      await stop();
      await block.release();
    },
  };
}

function newServer(options: RegistryOptions, answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    // A client that went away, or a registry that was stopped, needs no answer.
    answer(request, response).catch(() => response.destroy());
  };
  if (options.tls === undefined) {
    return createServer(listener);
  }
  const { certificates, clientCertificateRequired = false } = options.tls;
  const { server, authority } = certificates;
  const client = { requestCert: clientCertificateRequired, rejectUnauthorized: clientCertificateRequired };
  return createTlsServer({ key: server.key, cert: server.certificate, ca: authority.certificate, ...client }, listener);
}

function sendWithFault(response: ServerResponse, fault: RegistryFault | undefined, status: number, json: string): void {
  switch (fault?.kind) {
    case 'silent':
      return;
    case 'cut':
      response.destroy();
      return;
    case 'cut-body':
      response.writeHead(status, { 'content-type': CONTENT_TYPE, 'content-length': Buffer.byteLength(json) });
      response.write(json.slice(0, json.length / 2), () => response.destroy());
      return;
    case 'body':
      response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(fault.body);
      return;
    case 'status':
      sendStatus(response, fault);
      return;
    case 'slow':
    case undefined:
      response.writeHead(status, { 'content-type': CONTENT_TYPE }).end(json);
  }
}

function sendStatus(response: ServerResponse, fault: RegistryFault & { readonly kind: 'status' }): void {
  const { status, retryAfterSeconds, page } = fault;
  const retryAfter = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  if (page !== undefined) {
    response.writeHead(status, { 'content-type': 'text/html', ...retryAfter }).end(page);
    return;
  }
  const errorCodes: Readonly<Record<number, number>> = { 500: 50001, 503: 50003 };
  const body = { error_code: errorCodes[status] ?? status, message: status === 500 ? 'Error in the backend data store' : `HTTP ${status}` };
  response.writeHead(status, { 'content-type': CONTENT_TYPE, ...retryAfter }).end(JSON.stringify(body));
}

function answerTo(request: IncomingMessage, { authentication }: RegistryOptions, route: () => RegistryAnswer): RegistryAnswer {
  if (authentication !== undefined && request.headers.authorization !== expectedAuthorization(authentication)) {
    return { status: 401, body: { error_code: 401, message: 'Unauthorized' } };
  }
  const contentType = request.headers['content-type']?.split(';')[0]?.trim();
  if (request.method !== 'GET' && !ACCEPTED.includes(contentType ?? '')) {
    return { status: 415, body: { error_code: 415, message: 'HTTP 415 Unsupported Media Type' } };
  }
  try {
    return route();
  } catch (error) {
    if (error instanceof RegistryError) {
      return error.answer;
    }
    return { status: 500, body: { error_code: 50001, message: String(error) } };
  }
}

function expectedAuthorization(authentication: NonNullable<RegistryOptions['authentication']>): string {
  if ('bearer' in authentication) {
    return `Bearer ${authentication.bearer}`;
  }
  const { username, password } = authentication.basic;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

type Route = readonly [method: string, path: RegExp, answer: (subjects: RegistrySubjects, parts: readonly string[], body: string) => unknown];

const ROUTES: readonly Route[] = [
  ['GET', /^\/schemas\/ids\/([^/]+)$/u, (subjects, [id = '']) => subjects.schemaOf(Number(id))],
  ['GET', /^\/schemas\/types$/u, () => ['AVRO']],
  ['GET', /^\/subjects$/u, (subjects) => subjects.names()],
  ['POST', /^\/subjects\/([^/]+)$/u, (subjects, [subject = ''], body) => subjects.lookUp(subject, schemaIn(body))],
  ['GET', /^\/subjects\/([^/]+)\/versions$/u, (subjects, [subject = '']) => subjects.versionsOf(subject)],
  ['POST', /^\/subjects\/([^/]+)\/versions$/u, (subjects, [subject = ''], body) => subjects.register(subject, schemaIn(body))],
  ['GET', /^\/subjects\/([^/]+)\/versions\/([^/]+)$/u, (subjects, [subject = '', version = '']) => subjects.version(subject, version)],
  ['GET', /^\/config$/u, (subjects) => ({ compatibilityLevel: subjects.compatibility() })],
  ['PUT', /^\/config$/u, (subjects, _, body) => ({ compatibility: subjects.setCompatibility(levelIn(body)) })],
  ['GET', /^\/config\/([^/]+)$/u, (subjects, [subject = '']) => ({ compatibilityLevel: subjects.compatibility(subject) })],
  ['PUT', /^\/config\/([^/]+)$/u, (subjects, [subject = ''], body) => ({ compatibility: subjects.setCompatibility(levelIn(body), subject) })],
];

function route(subjects: RegistrySubjects, method: string, path: string, body: string): RegistryAnswer {
  const { pathname } = new URL(path, 'http://registry');
  const matching = ROUTES.filter(([, pattern]) => pattern.test(pathname));
  const found = matching.find(([routeMethod]) => routeMethod === method);
  if (found === undefined) {
    const status = matching.length === 0 ? 404 : 405;
    throw new RegistryError(status, status, status === 404 ? 'HTTP 404 Not Found' : 'HTTP 405 Method Not Allowed');
  }
  const [, pattern, answer] = found;
  const parts = (pattern.exec(pathname) ?? []).slice(1).map(decodeURIComponent);
  return { status: 200, body: answer(subjects, parts, body) };
}

function schemaIn(body: string): RegisteredSchema {
  const { schema, schemaType, references } = parseBody(body);
  if (typeof schema !== 'string') {
    throw new RegistryError(422, 42201, 'Empty schema');
  }
  const type = typeof schemaType === 'string' ? { schemaType } : {};
  return { schema, ...type, ...(Array.isArray(references) ? { references: references as readonly SchemaReference[] } : {}) };
}

function levelIn(body: string): string {
  return String(parseBody(body)['compatibility']);
}

function parseBody(body: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body)) as Readonly<Record<string, unknown>>;
  } catch {
    throw new RegistryError(400, 400, 'HTTP 400 Bad Request');
  }
}
