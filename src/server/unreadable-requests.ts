/** What Node finds to be no request, before there is a route whose interface would say how failures are written: problem details, and the end of the connection. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { serverError } from '../core/errors/server.ts';
import { failedAnswer } from './answers.ts';
import { problemMediaType, problemOf } from './problems.ts';

type ConnectionError = Error & { readonly code?: string };

/** By what Node says. */
const refusals: Readonly<Record<string, { readonly status: number; readonly detail: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request was not here in time' },
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the path and the headers are longer than a server takes them' },
};

export function refuseUnreadable(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { status, detail } = refusals[error.code ?? ''] ?? { status: 400, detail: 'what was sent is no HTTP/1.1' };
  const body = JSON.stringify(problemOf({ ...failedAnswer(serverError('LS_SERVER_REQUEST', detail)), status }, randomUUID()));
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `content-length: ${Buffer.byteLength(body)}`, `content-type: ${problemMediaType}`, 'connection: close'];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy(error);
}
