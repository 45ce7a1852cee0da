/**
 * Content over http and https. Whoever may publish chooses the URI, so each hop is held against the list of origins and each address against the rules;
 * no credentials, no cookies, no proxy of the environment, nothing is unpacked; and only the very bytes whose SHA-256 the event gives are taken.
 */
import { Agent, type Dispatcher } from 'undici';
import { boundedContent } from '../core/bounded-content.ts';
import type { Clock } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { mediaError } from '../core/errors/media.ts';
import { referenceError, type ReferenceErrorCode } from '../core/errors/reference.ts';
import type { Reference } from '../core/events.generated.ts';
import { verifiedContent } from '../core/verified-content.ts';
import type { ContentFetcher } from '../stages/extract/content-fetcher.ts';
import { createAddressRules } from './address-rules.ts';
import { createAllowedOrigins, type AllowedOrigins } from './allowed-origins.ts';
import { createCheckedConnector, createSystemResolver, type ResolveHost } from './checked-connector.ts';
import { watchFetch, type FetchTimes, type FetchWatch } from './fetch-watch.ts';
import { answerOf } from './http-answer.ts';
import { parseReferenceUri, toldUri } from './reference-uri.ts';

export type HttpContentOptions = FetchTimes & {
  readonly origins: readonly string[];
  /** Addresses and networks that are not public, and may be connected to all the same. */
  readonly allowPrivateAddresses: readonly string[];
  readonly redirectsMax: number;
  readonly connectionsPerHostMax: number;
  /** PEM; by default the authorities that Node knows. */
  readonly ca?: string | undefined;
  readonly clock: Clock;
  readonly resolve?: ResolveHost;
};

/** Undici's own times are coarse, and known to its own clock: ours hold (fetch-watch). */
const withoutTimes = { headersTimeout: 0, bodyTimeout: 0 };

type Http = { readonly options: HttpContentOptions; readonly origins: AllowedOrigins; readonly agent: Agent };

export function createHttpContent(options: HttpContentOptions): ContentFetcher {
  const { allowPrivateAddresses, connectionsPerHostMax, idleMsMax, resolve = createSystemResolver(), ca } = options;
  const connect = createCheckedConnector({ rules: createAddressRules(allowPrivateAddresses), resolve, connectMsMax: idleMsMax, ca });
  const agent = new Agent({ ...withoutTimes, connect, allowH2: false, connections: connectionsPerHostMax, pipelining: 1 });
  const http: Http = { options, agent, origins: createAllowedOrigins(options.origins) };
  return {
    sourceOf: (uri) => ({ kind: 'http', name: allowed(http, parseReferenceUri(uri)).origin }),
    fetchContent: (reference, signal) => fetchContent(http, { uri: reference.uri, sizeBytes: reference.sizeBytes, take: (body, attempt) => received(body, reference, attempt) }, signal),
    fetchUpTo: (uri, bytesMax, signal) => fetchContent(http, { uri, sizeBytes: undefined, take: (body, { what, watch }) => boundedContent(body, bytesMax, () => tooLarge(what, bytesMax), watch.arrived) }, signal),
    close: () => agent.destroy(),
  };
}

function allowed({ origins }: Http, url: URL): URL {
  if (!origins.allows(url)) throw referenceError('LS_REFERENCE_NOT_ALLOWED', `${url.origin.slice(0, 200)} is not among media.origins`, { origin: url.origin });
  return url;
}

/** What is known of an attempt when it breaks off. */
type Attempt = { readonly watch: FetchWatch; what: string; isAnswered: boolean };

type Wanted = {
  readonly uri: string;
  /** Undefined where nobody says it. */
  readonly sizeBytes: bigint | undefined;
  readonly take: (body: AsyncIterable<Uint8Array>, attempt: Attempt) => Promise<Uint8Array>;
};

async function fetchContent(http: Http, wanted: Wanted, signal: AbortSignal): Promise<Uint8Array> {
  const url = allowed(http, parseReferenceUri(wanted.uri));
  const attempt: Attempt = { watch: watchFetch(http.options.clock, http.options, signal), what: '', isAnswered: false };
  try {
    return await followed(http, wanted, url, attempt);
  } catch (error) {
    signal.throwIfAborted();
    throw described(error, attempt);
  } finally {
    attempt.watch.end();
  }
}

async function followed(http: Http, { sizeBytes, take }: Wanted, first: URL, attempt: Attempt): Promise<Uint8Array> {
  const { redirectsMax, clock } = http.options;
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    attempt.what = `GET ${toldUri(url)}`;
    const response = await ask(http.agent, url, attempt);
    try {
      const answer = answerOf(attempt.what, { status: response.statusCode, headers: response.headers }, sizeBytes, clock.nowMs());
      if (answer.kind === 'content') return await take(response.body, attempt);
      if (redirects >= redirectsMax) throw referenceError('LS_REFERENCE_REDIRECT', `${attempt.what}: more than ${redirectsMax} redirects`);
      url = allowed(http, redirectedTo(url, answer.location, attempt.what));
    } finally {
      // Whatever is still to come of it is of no use; after the end of a body this does nothing.
      response.body.on('error', () => undefined).destroy();
    }
  }
}

async function ask(agent: Agent, url: URL, attempt: Attempt): Promise<Dispatcher.ResponseData> {
  attempt.isAnswered = false;
  const response = await agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'labelstream' },
    signal: attempt.watch.signal,
  });
  attempt.isAnswered = true;
  attempt.watch.arrived();
  return response;
}

function tooLarge(what: string, bytesMax: number): Error {
  return mediaError('LS_MEDIA_TOO_LARGE', `${what}: the content has more than ${bytesMax} bytes`, { bytesMax });
}

function received(body: AsyncIterable<Uint8Array>, reference: Reference, { what, watch }: Attempt): Promise<Uint8Array> {
  const mismatch = (wrong: string): Error => referenceError('LS_REFERENCE_MISMATCH', `${what}: the content ${wrong}`);
  return verifiedContent(reference, body, mismatch, watch.arrived);
}

function redirectedTo(from: URL, location: string, what: string): URL {
  if (!URL.canParse(location, from.href)) throw referenceError('LS_REFERENCE_REDIRECT', `${what}: redirected to what is no URI`);
  const { href, protocol, host } = new URL(location, from);
  if (protocol === 'http:' || protocol === 'https:') return parseReferenceUri(href);
  throw referenceError('LS_REFERENCE_NOT_ALLOWED', `${what}: redirected to ${protocol}${host === '' ? '' : `//${host.slice(0, 200)}`}, which is not fetched`);
}

/** What the network said, as an error of ours. */
function described(error: unknown, { watch, what, isAnswered }: Attempt): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  const code: ReferenceErrorCode = isAnswered ? 'LS_REFERENCE_UNAVAILABLE' : 'LS_REFERENCE_UNREACHABLE';
  const reason = watch.late() ?? messageOf(error);
  return referenceError(code, `${what}: ${reason}`, { reason }, { cause: error });
}

/** One line, without addresses: they tell of the network to whoever reads the dead letters. */
function messageOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return code ?? (error instanceof Error ? (error.message.split('\n', 1)[0] ?? '').slice(0, 200) : String(error));
}
