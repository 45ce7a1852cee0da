/** Bodies of JSON, which is UTF-8 (RFC 8259, 8.1). Other bytes are refused: decoded all the same they would be another text than was sent. */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { serverError } from '../core/errors/server.ts';

/** Throws LS_SERVER_REQUEST. @param name of what holds the bytes. */
export function utf8Text(bytes: Buffer, name: string): string {
  if (!isUtf8(bytes)) throw notUtf8(name);
  return bytes.toString();
}

const notUtf8 = (name: string): Error => serverError('LS_SERVER_REQUEST', `${name} has bytes that are no text in UTF-8`);

/** @param read what is made of a body, with its text. What it throws is what is wrong with the request. */
export function addJsonBodies(server: FastifyInstance, contentType: string, read: (body: unknown, text: string) => unknown = (body) => body): void {
  // That of all interfaces, where one has its own.
  server.removeContentTypeParser(contentType);
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser<Buffer>(contentType, { parseAs: 'buffer' }, (request, bytes, done) => {
    if (!isUtf8(bytes)) {
      done(notUtf8('the body'));
      return;
    }
    const text = bytes.toString();
    void parse(request, text, (error, parsed: unknown) => {
      let body = parsed;
      let wrong = error;
      try {
        if (wrong === null) body = read(parsed, text);
      } catch (thrown) {
        wrong = thrown as Error;
      }
      done(wrong, body);
    });
  });
}
