/** Bodies that clients have compressed. How much they may become is bounded by whoever reads them: a stream is decompressed no further than it is read. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance, RequestPayload } from 'fastify';
import { serverError } from '../core/errors/server.ts';

/** Every piece takes a turn of another thread, which is waited for on a busy machine. */
const options = { chunkSize: 128 * 1024 };
const gunzip = (): Transform => createGunzip(options);
const decoders: Readonly<Record<string, () => Transform>> = { gzip: gunzip, 'x-gzip': gunzip, deflate: () => createInflate(options) };

export function addContentDecoding(server: FastifyInstance): void {
  server.addHook('preParsing', (request, _reply, payload, done) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    const decoder = decoders[encoding];
    if (encoding === 'identity' || encoding === '') done(null, payload);
    // Forms are read by a parser that takes them from the connection.
    else if (isForm(request.headers)) done(serverError('LS_SERVER_MEDIA_TYPE', 'a form is not taken compressed'));
    else if (decoder === undefined) done(serverError('LS_SERVER_MEDIA_TYPE', `the body is compressed as ${JSON.stringify(encoding)}, which is none of ${Object.keys(decoders).join(', ')}`));
    else done(null, decoded(payload, decoder()));
  });
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
