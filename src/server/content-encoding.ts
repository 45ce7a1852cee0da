/** Bodies that clients have compressed. How much they may become is bounded by whoever reads them: a stream is decompressed no further than it is read. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance, FastifyRequest, RequestPayload } from 'fastify';
import { serverError } from '../core/errors/server.ts';

/** Every piece takes a turn of another thread, which is waited for on a busy machine. */
const options = { chunkSize: 128 * 1024 };
const gunzip = (): Transform => createGunzip(options);
const decoders: ReadonlyMap<string, () => Transform> = new Map([['gzip', gunzip], ['x-gzip', gunzip], ['deflate', () => createInflate(options)]]);

export function addContentDecoding(server: FastifyInstance): void {
  server.addHook('preParsing', (request, _reply, payload, done) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    const isPlain = encoding === 'identity' || encoding === '';
    const decoder = decoders.get(encoding);
    // Forms are read by a parser that takes them from the connection.
    if (isForm(request.headers)) done(isPlain ? refusalOfForm(request) : serverError('LS_SERVER_MEDIA_TYPE', 'a form is not taken compressed'), payload);
    else if (isPlain) done(null, payload);
    else if (decoder === undefined) done(serverError('LS_SERVER_MEDIA_TYPE', `the body is compressed as ${JSON.stringify(encoding)}, which is none of ${[...decoders.keys()].join(', ')}`));
    else done(null, decoded(payload, decoder()));
  });
}

/** Fastify compares only what it reads itself. Of a form that does not say how long it is, the parser bounds each part. */
function refusalOfForm({ headers, routeOptions: { bodyLimit } }: FastifyRequest): Error | null {
  const bytes = Number(headers['content-length'] ?? 0);
  return bytes <= bodyLimit ? null : serverError('LS_SERVER_BODY_TOO_LARGE', `the form has ${bytes} bytes, more than the ${bodyLimit} of server.bodyBytesMax`, { bytes, bytesMax: bodyLimit });
}

const isForm = (headers: IncomingHttpHeaders): boolean => /^multipart\//i.test(headers['content-type'] ?? '');

function decoded(source: RequestPayload, decoder: Transform): RequestPayload {
  const result: RequestPayload = decoder;
  // Fastify compares it with `content-length`, which counts what was sent.
  result.receivedEncodedLength = 0;
  (source as Readable).on('data', (chunk: Buffer) => {
    result.receivedEncodedLength = (result.receivedEncodedLength ?? 0) + chunk.length;
  });
  // What goes wrong is told to whoever reads the result. Where nobody does (there is no such path, the operation takes no body), an error that nobody listens for would end the process.
  decoder.on('error', () => undefined);
  pipeline(source, decoder, () => undefined);
  return result;
}
