/**
 * A request and its answer, from when the request's head is here until the answer is sent, or the connection is gone. It is observed, its answer has a
 * deadline, and a server that is drained waits for it. (Fastify 5.12 has `request.signal` and `handlerTimeout` for the second, which Node ends as soon as
 * the body of a request is read.) One listener tells all three of the end, which is cheaper than one for each.
 */
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import type { LabelstreamError } from '../core/errors/error.ts';
import { serverError } from '../core/errors/server.ts';
import { failedAnswer } from './answers.ts';
import type { HttpObserver } from './http-port.ts';

declare module 'fastify' {
  /* eslint-disable @typescript-eslint/consistent-type-definitions -- What is there already can be added to in no other way. */
  interface FastifyContextConfig {
    /** Whether its answers go on for as long as the client likes. */
    isEndless?: boolean;
  }
  interface FastifyRequest {
    exchange: Exchange;
    /** Aborts when nobody waits for the answer any more; its reason is LS_SERVER_TIME where the time was over. */
    ending: AbortSignal;
    /** For what goes wrong when the answer has begun, and cannot say so any more. */
    tellFailure: (error: unknown) => void;
  }
  /* eslint-enable @typescript-eslint/consistent-type-definitions */
}

export type Exchange = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly route: string | undefined;
  readonly isEndless: boolean;
  readonly startMs: number;
  /** Known only while there is a connection. */
  readonly remoteAddress: string;
  readonly controller: AbortController;
  deadline: NodeJS.Timeout | undefined;
  /** The one before it on its connection, where that is not answered yet either. */
  before: Exchange | undefined;
  /** A status, where it was not the client who ended what was not answered whole. */
  endedWith: number | undefined;
};

export type ExchangesOptions = { readonly answerMsMax: number; readonly clock: Pick<Clock, 'elapsedMs'>; readonly observer: HttpObserver };

export type Exchanges = {
  /** Only for what no hook sees. */
  readonly begin: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Those of a connection that are not answered yet, or whose request is not here yet in full; the oldest first. */
  readonly of: (connection: Socket) => readonly Exchange[];
  /** Ends when nothing is being answered any more but what is open to all, and what comes from here on. */
  readonly ended: () => Promise<void>;
};

/** The exchange that began last on a connection. (A set of all that are going on took a tenth of the time of a short request.) */
const latest = Symbol('latest');
type Connection = Socket & { [latest]?: Exchange | undefined };

/** Of a client that did not wait for its answer, as proxies log it. */
const clientLeft = 499;

export function addExchanges(server: FastifyInstance, { answerMsMax, clock, observer }: ExchangesOptions): Exchanges {
  const answering = createAnswering();
  let isClosing = false;
  const begin = (request: FastifyRequest, reply: FastifyReply): void => {
    // Fastify makes them anew whenever they are asked for.
    const { config, url: route } = request.routeOptions;
    const connection: Connection = request.raw.socket;
    const exchange: Exchange = {
      request, reply, route, before: isOver(connection[latest]) ? undefined : connection[latest],
      isEndless: config.isEndless === true, startMs: clock.elapsedMs(), remoteAddress: request.ip, controller: new AbortController(), deadline: undefined, endedWith: undefined,
    };
    // Probes and scrapes are not waited for.
    const isWaitedFor = config.scope !== 'open' && answering.begin();
    connection[latest] = exchange;
    request.exchange = exchange;
    request.ending = exchange.controller.signal;
    reply.header('x-request-id', request.id);
    reply.raw.on('close', () => {
      clearTimeout(exchange.deadline);
      // One that was refused before its body was here is still that of what comes.
      if (connection[latest] === exchange && request.raw.complete) connection[latest] = exchange.before;
      // A client that always has another one under way would keep them all.
      exchange.before = undefined;
      if (isWaitedFor) answering.end();
      if (!reply.raw.writableFinished) exchange.controller.abort();
      if (isClosing) exchange.endedWith ??= stopped();
      // The time is taken here, because Fastify's own (`elapsedTime`) is 0 on routes without a hook `onResponse`.
      observer.answered(summaryOf(exchange, clock.elapsedMs()));
    });
  };
  decorate(server, observer);
  addHooks(server, begin, answerMsMax);
  server.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  return { begin, of, ended: answering.ended };
}

const isOver = (exchange: Exchange | undefined): boolean => exchange !== undefined && exchange.reply.raw.closed && exchange.request.raw.complete;

function of(connection: Connection): readonly Exchange[] {
  const found: Exchange[] = [];
  for (let exchange = connection[latest]; exchange !== undefined; exchange = exchange.before) if (!isOver(exchange)) found.unshift(exchange);
  return found;
}

export const pathOf = ({ url }: FastifyRequest): string => url.split('?', 1)[0] ?? url;

const stopped = (): number => failedAnswer(serverError('LS_SERVER_DRAINING', 'the server has stopped')).status;

function decorate(server: FastifyInstance, observer: HttpObserver): void {
  server.decorateRequest('exchange', null as unknown as Exchange);
  server.decorateRequest('ending', null as unknown as AbortSignal);
  server.decorateRequest('tellFailure', function tellFailure(this: FastifyRequest, error: unknown): void {
    this.exchange.endedWith = failedAnswer(error).status;
    observer.failed({ requestId: this.id, method: this.method, path: pathOf(this) }, error);
  });
}

function addHooks(server: FastifyInstance, begin: Exchanges['begin'], answerMsMax: number): void {
  server.addHook('onRequest', (request, reply, done) => {
    begin(request, reply);
    done();
  });
  // Its body is here, which may have taken longer.
  server.addHook('preHandler', ({ exchange }, reply, done) => {
    if (!exchange.isEndless && !reply.raw.closed) exchange.deadline = setTimeout(() => giveUp(exchange, answerMsMax), answerMsMax);
    done();
  });
}

function giveUp(exchange: Exchange, answerMsMax: number): void {
  const { reply, controller } = exchange;
  const error = serverError('LS_SERVER_TIME', `the answer took longer than ${answerMsMax} ms`);
  // It waits, whole, for those before it on the connection.
  if (reply.raw.writableEnded && reply.raw.socket === null) {
    exchange.deadline = setTimeout(() => giveUp(exchange, answerMsMax), answerMsMax);
    return;
  }
  controller.abort(error);
  if (reply.raw.headersSent) breakOff(exchange, error);
  else if (!reply.sent) reply.send(error);
}

/** What has begun to be sent cannot be taken back: the client is to see that it is not whole. */
export function breakOff({ request, reply }: Pick<Exchange, 'request' | 'reply'>, error: LabelstreamError): void {
  request.tellFailure(error);
  reply.raw.destroy();
}

function summaryOf({ request, reply, route, startMs, remoteAddress, endedWith }: Exchange, nowMs: number): Parameters<HttpObserver['answered']>[0] {
  return {
    requestId: request.id,
    method: request.method,
    path: pathOf(request),
    route,
    status: reply.raw.writableFinished ? reply.statusCode : (endedWith ?? clientLeft),
    seconds: (nowMs - startMs) / 1000,
    key: request.apiKey?.name,
    remoteAddress,
  };
}

/** Counts what is being answered, until nothing is. */
function createAnswering() {
  let count = 0;
  let ended: PromiseWithResolvers<void> | undefined;
  const check = (): void => {
    if (count === 0) ended?.resolve();
  };
  return {
    /** Whether it is waited for; whoever comes after `ended` is refused. */
    begin: (): boolean => {
      if (ended !== undefined) return false;
      count += 1;
      return true;
    },
    end: (): void => {
      count -= 1;
      check();
    },
    ended: (): Promise<void> => {
      ended ??= Promise.withResolvers();
      check();
      return ended.promise;
    },
  };
}
