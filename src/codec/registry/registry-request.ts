/**
 * One request to a schema registry, and what its answer means. Everything that is no definite word of a registry about what was asked is
 * thrown as a retryable error: a page for people, a redirect (followed by nobody, because credentials would go along), a broken text.
 */
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Clock } from '../../core/clock.ts';
import { registryError } from '../../core/errors/registry.ts';
import { LabelstreamError } from '../../core/errors/error.ts';

/** Read anew for every request, of which there are few: what is mended or rotated counts at once. */
export type RegistryCredentials = {
  /** The value of the header. */
  readonly authorization?: string;
  /** What no message may hold. */
  readonly secrets: readonly string[];
  /** PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
};

export type RegistryRequest = { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown };

/** `refused`: 404, 409 or 422 with a code of the registry's own. `too-large`: a success of more bytes than anybody wants. */
export type RegistryAnswer =
  | { readonly kind: 'success'; readonly body: unknown }
  | { readonly kind: 'refused'; readonly errorCode: number; readonly message: string }
  | { readonly kind: 'too-large' };

export type RegistryLimits = { readonly requestTimeoutMs: number; readonly answerBytesMax: number };

/** Rejects with LS_REGISTRY_UNAVAILABLE, LS_REGISTRY_DENIED, LS_REGISTRY_ANSWER, or the signal's reason. */
export async function askRegistry(
  base: string,
  request: RegistryRequest,
  credentials: RegistryCredentials,
  { limits, clock, signal }: { readonly limits: RegistryLimits; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<RegistryAnswer> {
  const over = new AbortController();
  const late = new AbortController();
  void clock.sleep(limits.requestTimeoutMs, over.signal).then(() => late.abort());
  try {
    const received = await exchange(base, request, credentials, limits.answerBytesMax, AbortSignal.any([signal, late.signal]));
    return answerOf(base, request, received, credentials);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LabelstreamError) throw error;
    const because = late.signal.aborted ? `no answer within ${limits.requestTimeoutMs} ms` : withoutSecrets(messageOf(error), credentials);
    throw failure('LS_REGISTRY_UNAVAILABLE', base, request, because);
  } finally {
    over.abort();
  }
}

type Received = {
  readonly status: number;
  readonly contentType: string;
  readonly location: string | undefined;
  /** Undefined where there was more than is allowed. */
  readonly text: string | undefined;
};

function exchange(base: string, { method, path, body }: RegistryRequest, credentials: RegistryCredentials, bytesMax: number, signal: AbortSignal): Promise<Received> {
  const { authorization, ca, cert, key } = credentials;
  const url = new URL(`${base.replace(/\/+$/, '')}${path}`);
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = {
    accept: 'application/vnd.schemaregistry.v1+json, application/json',
    ...(authorization === undefined ? {} : { authorization }),
    ...(payload === undefined ? {} : { 'content-type': 'application/vnd.schemaregistry.v1+json', 'content-length': payload.length }),
  };
  const tls = { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
  return new Promise((resolve, reject) => {
    // A connection of its own each time: none is kept open for requests that come once a day.
    const options = { method, headers, signal, agent: false as const };
    const sent = url.protocol === 'https:' ? requestHttps(url, { ...options, ...tls }) : requestHttp(url, options);
    let isAnswered = false;
    sent.on('error', reject);
    sent.on('response', (response) => {
      isAnswered = true;
      receive(response, bytesMax).then(resolve, reject);
    });
    // An upgrade of the protocol, which nobody asked for, ends the connection with neither an answer nor an error, and then nothing ends the request.
    sent.on('close', () => {
      if (!isAnswered) reject(new Error('the connection ended without an answer'));
    });
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    sent.end(payload);
  });
}

async function receive(response: IncomingMessage, bytesMax: number): Promise<Received> {
  const { statusCode = 0, headers } = response;
  const about = { status: statusCode, contentType: headers['content-type'] ?? '', location: headers.location };
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop destroys the connection.
    if (length > bytesMax) return { ...about, text: undefined };
    chunks.push(chunk);
  }
  return { ...about, text: Buffer.concat(chunks).toString() };
}

/**
 * The registry's own word rather than that of whatever else may answer at this address: its codes have two digits more than the status (40403), but for 409.
 */
function isWord(status: number, errorCode: unknown): errorCode is number {
  if (typeof errorCode !== 'number') return false;
  return status === 409 || ((status === 404 || status === 422) && Math.floor(errorCode / 100) === status);
}

function answerOf(base: string, request: RegistryRequest, received: Received, credentials: RegistryCredentials): RegistryAnswer {
  const { status, text, contentType, location } = received;
  const json = /\bjson\b/i.test(contentType);
  const body = json ? parsed(text) : undefined;
  const { error_code: errorCode, message } = objectOf(body);
  const said = typeof message === 'string' ? `: ${withoutSecrets(message, credentials).slice(0, 200)}` : '';
  if (status === 401 || status === 403) throw failure('LS_REGISTRY_DENIED', base, request, `status ${status}${said}`);
  if (status === 408 || status === 429 || status >= 500) throw failure('LS_REGISTRY_UNAVAILABLE', base, request, `status ${status}${said}`);
  if (status >= 300 && status < 400) throw failure('LS_REGISTRY_ANSWER', base, request, `status ${status}, a redirect to ${originOf(location)}, which is not followed`);
  if (isWord(status, errorCode)) {
    return { kind: 'refused', errorCode, message: withoutSecrets(typeof message === 'string' ? message : 'without a message', credentials).slice(0, 1000) };
  }
  if (status !== 200 && status !== 201) throw failure('LS_REGISTRY_ANSWER', base, request, `status ${status}${said}`);
  if (!json) throw failure('LS_REGISTRY_ANSWER', base, request, `content of the type ${JSON.stringify(contentType.slice(0, 100))} instead of JSON`);
  if (text === undefined) return { kind: 'too-large' };
  if (body === undefined) throw failure('LS_REGISTRY_ANSWER', base, request, 'a text that is no JSON');
  return { kind: 'success', body };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function originOf(location: string | undefined): string {
  return location !== undefined && URL.canParse(location) ? new URL(location).origin : 'another place';
}

type FailureCode = 'LS_REGISTRY_UNAVAILABLE' | 'LS_REGISTRY_DENIED' | 'LS_REGISTRY_ANSWER';

/** Without the cause: what the network's errors hold beside their message is not known to be free of secrets. */
function failure(code: FailureCode, base: string, { method, path }: RegistryRequest, because: string): LabelstreamError {
  return registryError(code, `${method} ${path} at the schema registry ${base}: ${because}`, { url: base });
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

function withoutSecrets(text: string, { secrets }: RegistryCredentials): string {
  return secrets.reduce((cleaned, secret) => (secret === '' ? cleaned : cleaned.replaceAll(secret, '***')), text);
}
