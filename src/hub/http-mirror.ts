/**
 * A repository behind a URL, by the paths of Hugging Face: the list at `/api/models/REPOSITORY/revision/REVISION`, a file at
 * `/REPOSITORY/resolve/REVISION/PATH`, which may redirect to where large files lie. The operator names this URL, so any address will do, private ones too;
 * the token is for the origin that was named, and goes to no other.
 */
import { isIP } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { z } from 'zod';
import { LabelstreamError } from '../core/errors/error.ts';
import { pullError } from '../core/errors/pull.ts';
import type { Listing, Mirror, OpenedFile } from './mirror.ts';

const redirectsMax = 5;
const listBytesMax = 32 * 1024 * 1024;
/** Of undici, which knows of them to the second. */
const times = { connectMsMax: 30_000, idleMsMax: 60_000 };

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const listedFile = z.looseObject({
  rfilename: z.string(),
  size: z.int().min(0).nullish(),
  blobId: hex(40).nullish(),
  lfs: z.looseObject({ sha256: hex(64), size: z.int().min(0).nullish() }).nullish(),
});
const listing = z.looseObject({ sha: hex(40), siblings: z.array(listedFile).max(100_000) });

export type HttpMirrorOptions = {
  readonly base: URL;
  readonly repository: string;
  readonly token: string | undefined;
};

/** Throws LS_PULL_NOT_FOUND for what is no URL of a mirror. */
export function mirrorUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '') return url;
  // Without the value, which may hold a secret.
  throw pullError('LS_PULL_NOT_FOUND', 'the mirror is no http: or https: URL without user, query and fragment');
}

type Http = { readonly options: HttpMirrorOptions; readonly agent: Agent };

export function createHttpMirror(options: HttpMirrorOptions): Mirror {
  const agent = new Agent({ headersTimeout: times.idleMsMax, bodyTimeout: times.idleMsMax, connect: { timeout: times.connectMsMax }, allowH2: false, pipelining: 1 });
  const http: Http = { options, agent };
  return {
    told: toldUrl(options.base).replace(/\/$/, ''),
    list: (revision, signal) => list(http, revision, signal),
    open: (file, signal) => openFile(http, file, signal),
    close: () => agent.destroy(),
  };
}

function urlOf({ options: { base } }: Http, path: string, query = ''): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
  url.search = query;
  return url;
}

async function list(http: Http, revision: string, signal: AbortSignal): Promise<Listing> {
  // A branch may have slashes in its name, and is one part of the path.
  const url = urlOf(http, `api/models/${http.options.repository}/revision`, 'blobs=true');
  url.pathname += `/${encodeURIComponent(revision)}`;
  const { response, what } = await followed(http, url, {}, signal);
  if (response.statusCode === 404) {
    discard(response);
    return { revision, files: undefined };
  }
  requireStatus(response, what, [200]);
  const parsed = listing.safeParse(jsonOf(await wholeBody(response, what), what));
  if (!parsed.success) throw pullError('LS_PULL_ANSWER', `${what}: this is no list of files: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).slice(0, 3).join('; ')}`);
  const { sha, siblings } = parsed.data;
  return {
    revision: sha,
    files: siblings.map(({ rfilename, size, blobId, lfs }) => ({
      path: rfilename,
      sizeBytes: lfs?.size ?? size ?? undefined,
      // The blob of a large file is a pointer to it.
      ...(lfs === null || lfs === undefined ? { gitSha1: blobId ?? undefined } : { sha256: lfs.sha256 }),
    })),
  };
}

async function openFile(http: Http, { revision, path, beginning }: Parameters<Mirror['open']>[0], signal: AbortSignal): Promise<OpenedFile> {
  const headers: Record<string, string> = beginning === undefined ? {} : { range: `bytes=${beginning.sizeBytes}-`, 'if-range': beginning.validator };
  const { response, what } = await followed(http, urlOf(http, `${http.options.repository}/resolve/${revision}/${path}`), headers, signal);
  if (response.statusCode === 416 && beginning !== undefined) {
    // There is nothing behind what is there, or it is not what is there: from the beginning.
    discard(response);
    return openFile(http, { revision, path }, signal);
  }
  requireStatus(response, what, beginning === undefined ? [200] : [200, 206]);
  const { headers: answered } = response;
  if ((single(answered['content-encoding']) ?? 'identity').toLowerCase() !== 'identity') {
    discard(response);
    throw pullError('LS_PULL_ANSWER', `${what}: the content is encoded`);
  }
  const validator = strongValidator(single(answered['etag']));
  const body = bodyOf(response, what);
  if (response.statusCode === 200) return { offset: 0, sizeBytes: lengthOf(single(answered['content-length'])), validator, body };
  return { ...rangeOf(response, what, beginning?.sizeBytes ?? 0), validator: validator ?? beginning?.validator, body };
}

function rangeOf(response: Dispatcher.ResponseData, what: string, offset: number): Pick<OpenedFile, 'offset' | 'sizeBytes'> {
  const told = single(response.headers['content-range']) ?? '';
  const [, first, size] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(told) ?? [];
  if (Number(first) === offset) return { offset, sizeBytes: lengthOf(size) };
  discard(response);
  throw pullError('LS_PULL_ANSWER', `${what}: asked for the bytes from ${offset} on, the answer is ${JSON.stringify(told.slice(0, 60))}`);
}

/** One that says `weak` is of something like this file, and not of its bytes. */
function strongValidator(etag: string | undefined): string | undefined {
  return etag !== undefined && /^"[^"]*"$/.test(etag) ? etag : undefined;
}

type Followed = { readonly response: Dispatcher.ResponseData; /** For messages. */ readonly what: string };

async function followed({ options, agent }: Http, first: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Followed> {
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    const what = `GET ${toldUrl(url)}`;
    const response = await ask(agent, url, { ...headers, ...tokenFor(url, options) }, what, signal);
    if (![301, 302, 303, 307, 308].includes(response.statusCode)) return { response, what };
    discard(response);
    if (redirects >= redirectsMax) throw pullError('LS_PULL_ANSWER', `${what}: more than ${redirectsMax} redirects`);
    url = redirectedTo(url, single(response.headers['location']), what);
  }
}

async function ask(agent: Agent, url: URL, headers: Readonly<Record<string, string>>, what: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  try {
    return await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'labelstream', ...headers },
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw brokenOff(error, what);
  }
}

/** To the origin that was named alone; not in plain text over a network. */
function tokenFor(url: URL, { base, token }: HttpMirrorOptions): Readonly<Record<string, string>> {
  if (token === undefined || url.origin !== base.origin) return {};
  return url.protocol === 'https:' || isThisMachine(url.hostname) ? { authorization: `Bearer ${token}` } : {};
}

function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}

function redirectedTo(from: URL, location: string | undefined, what: string): URL {
  const refused = (why: string): Error => pullError('LS_PULL_ANSWER', `${what}: redirected ${why}`);
  if (location === undefined || !URL.canParse(location, from.href)) throw refused('to what is no URL');
  const to = new URL(location, from);
  if (!/^https?:$/.test(to.protocol)) throw refused(`to ${to.protocol}, which is not fetched`);
  if (from.protocol === 'https:' && to.protocol === 'http:') throw refused(`from https to http, at ${toldUrl(to)}`);
  return to;
}

/** Throws LS_PULL_*; what is still to come is of no use then. */
function requireStatus(response: Dispatcher.ResponseData, what: string, allowed: readonly number[]): void {
  const { statusCode: status, headers } = response;
  if (allowed.includes(status)) return;
  discard(response);
  if (status === 404 || status === 410) throw pullError('LS_PULL_NOT_FOUND', `${what}: status ${status}`, { status });
  if ([401, 403, 407, 451].includes(status)) throw pullError('LS_PULL_DENIED', `${what}: status ${status}`, { status });
  if (![408, 425, 429].includes(status) && status < 500) throw pullError('LS_PULL_ANSWER', `${what}: status ${status}`, { status });
  const seconds = single(headers['retry-after']);
  throw pullError('LS_PULL_UNAVAILABLE', `${what}: status ${status}`, { status, ...(seconds !== undefined && /^\d{1,5}$/.test(seconds) ? { retryAfterMs: Number(seconds) * 1000 } : {}) });
}

async function* bodyOf({ body }: Dispatcher.ResponseData, what: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw brokenOff(error, what);
  } finally {
    // After the end of a body this does nothing.
    body.on('error', () => undefined).destroy();
  }
}

async function wholeBody(response: Dispatcher.ResponseData, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bodyOf(response, what)) {
    bytes += chunk.length;
    if (bytes > listBytesMax) throw pullError('LS_PULL_ANSWER', `${what}: the list has more than ${listBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function jsonOf(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw pullError('LS_PULL_ANSWER', `${what}: this is no list of files: no JSON`, {}, { cause: error });
  }
}

function brokenOff(error: unknown, what: string): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return pullError('LS_PULL_UNAVAILABLE', `${what}: ${code ?? (error instanceof Error ? error.message : String(error))}`, {}, { cause: error });
}

function discard({ body }: Dispatcher.ResponseData): void {
  body.on('error', () => undefined).destroy();
}

function lengthOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Without the query, which may hold a signature. */
function toldUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`.slice(0, 300);
}

