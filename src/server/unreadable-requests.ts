/**
 * What Node finds to be no request, before there is a route whose interface would say how failures are written: problem details, and the end of the
 * connection. Requests that were whole before it are answered first: what comes behind them changes nothing for them (RFC 9112, 9.3.2).
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { serverError } from '../core/errors/server.ts';
import { failedAnswer } from './answers.ts';
import type { Exchange } from './exchanges.ts';
import type { HttpObserver } from './http-port.ts';
import { problemMediaType, problemOf } from './problems.ts';

type ConnectionError = Error & { readonly code?: string };

export type UnreadableOptions = {
  readonly exchangesOf: (connection: Socket) => readonly Exchange[];
  readonly newRequestId: () => string;
  readonly observer: Pick<HttpObserver, 'answered'>;
};

/** By what Node says. */
const refusals: Readonly<Record<string, { readonly status: number; readonly detail: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request was not here in time' },
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the path and the headers are longer than a server takes them' },
};

/** For `clientErrorHandler`. */
export function createRefusal({ exchangesOf, newRequestId, observer }: UnreadableOptions): (error: ConnectionError, socket: Socket) => void {
  const ending = new WeakSet<Socket>();
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed || ending.has(socket)) return;
    ending.add(socket);
    const refusal = refusals[error.code ?? ''] ?? { status: 400, detail: 'what was sent is no HTTP/1.1' };
    const exchanges = exchangesOf(socket);
    const [unfinished] = exchanges.filter(({ request }) => !request.raw.complete);
    if (unfinished !== undefined) unfinished.endedWith = refusal.status;
    const whole = exchanges.filter((exchange) => exchange !== unfinished);
    if (whole.length > 0) {
      endBehind(socket, whole);
      return;
    }
    const requestId = unfinished?.request.id ?? newRequestId();
    // An answer that has begun has no room for another.
    if (socket.writable && unfinished?.reply.raw.headersSent !== true) socket.write(answerOf(refusal, requestId));
    if (unfinished === undefined) observer.answered({ requestId, method: '-', path: '-', route: undefined, status: refusal.status, seconds: 0, key: undefined, remoteAddress: socket.remoteAddress ?? '' });
    socket.destroy(error);
  };
}

function endBehind(socket: Socket, whole: readonly Exchange[]): void {
  const last = whole.at(-1);
  // Node says so in a head that is not sent yet, and closes behind it.
  if (last !== undefined) last.reply.raw.shouldKeepAlive = false;
  let open = whole.length;
  for (const { reply } of whole) {
    reply.raw.once('close', () => {
      open -= 1;
      if (open === 0) socket.destroySoon();
    });
  }
}

function answerOf({ status, detail }: { readonly status: number; readonly detail: string }, requestId: string): string {
  const body = JSON.stringify(problemOf({ ...failedAnswer(serverError('LS_SERVER_REQUEST', detail)), status }, requestId));
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `content-length: ${Buffer.byteLength(body)}`, `content-type: ${problemMediaType}`, `x-request-id: ${requestId}`, 'connection: close'];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
