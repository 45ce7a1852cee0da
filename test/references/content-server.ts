/** A real server of content on the loopback, which does what a path asks for, and what asks it. */
import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import type { Reference } from '../../src/core/events.generated.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createHttpContent, type HttpContentOptions } from '../../src/references/http-content.ts';
import type { ContentFetcher } from '../../src/stages/extract/content-fetcher.ts';
import type { Certificate } from '../brokers/certificates.ts';

export const content = Buffer.from('the bytes of an image, of which there are some');

export function referenceTo(uri: string, fields: Partial<Reference> & { readonly bytes?: Buffer } = {}): Reference {
  const { bytes = content, ...rest } = fields;
  return { uri, sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: BigInt(bytes.length), ...rest };
}

export type ContentServer = {
  readonly origin: string;
  readonly port: number;
  /** In their order. */
  readonly requests: readonly IncomingMessage[];
  readonly close: () => Promise<void>;
};

/** @param certificate with it, TLS. */
export async function startContentServer(answer: (request: IncomingMessage, response: ServerResponse) => void, certificate?: Certificate, port = 0): Promise<ContentServer> {
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    answer(request, response);
  };
  const server = certificate === undefined ? createHttpServer(listener) : createHttpsServer({ key: certificate.key, cert: certificate.certificate }, listener);
  // How busy the machine is does not decide whether a connection is kept.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  const bound = (server.address() as AddressInfo).port;
  return { origin: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`, port: bound, requests, close };
}

/** Fetches from the loopback, where the options do not say otherwise. */
export function httpContent(origins: readonly string[], fields: Partial<HttpContentOptions> = {}): ContentFetcher {
  const fetcher = createHttpContent({
    origins, allowPrivateAddresses: ['127.0.0.1'], redirectsMax: 2, connectionsPerHostMax: 4, totalMsMax: 30_000, idleMsMax: 15_000, clock: systemClock, ...fields,
  });
  onTestFinished(fetcher.close);
  return fetcher;
}

export const never = new AbortController().signal;

export async function refusal(promise: Promise<unknown>): Promise<LabelstreamError> {
  const outcome: unknown = await promise.then(() => 'was not refused', (error: unknown) => error);
  if (outcome instanceof LabelstreamError) return outcome;
  throw outcome instanceof Error ? outcome : new Error(String(outcome));
}
