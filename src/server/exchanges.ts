/**
 * A request and its answer, from when the request's head is here until the answer is sent, or the client has left. It is observed, its answer has a
 * deadline, and a server that is drained waits for it. (Fastify 5.12 has `request.signal` and `handlerTimeout` for the second, which Node ends as soon as
 * the body of a request is read.) One listener tells all three of the end, which is cheaper than one for each.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { serverError } from '../core/errors/server.ts';
import type { HttpObserver } from './http-port.ts';

declare module 'fastify' {
  /* eslint-disable @typescript-eslint/consistent-type-definitions -- What is there already can be added to in no other way. */
  interface FastifyContextConfig {
    /** Whether its answers go on for as long as the client likes. */
    isEndless?: boolean;
  }
  interface FastifyRequest {
    /** Aborts when nobody waits for the answer any more; its reason is LS_SERVER_TIME where the time was over. */
    ending: AbortSignal;
  }
  /* eslint-enable @typescript-eslint/consistent-type-definitions */
}

type Exchange = { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly route: string | undefined; readonly startMs: number; readonly controller: AbortController };

export type ExchangesOptions = { readonly answerMsMax: number; readonly clock: Pick<Clock, 'elapsedMs'>; readonly observer: HttpObserver };

/** Of a client that did not wait for its answer, as proxies log it. */
const clientLeft = 499;

/** @returns ends when nothing is being answered any more but what is open to all, and what comes from here on. */
export function addExchanges(server: FastifyInstance, { answerMsMax, clock, observer }: ExchangesOptions): { readonly ended: () => Promise<void> } {
  const answering = createAnswering();
  server.decorateRequest('ending', null as unknown as AbortSignal);
  server.decorateRequest('tellFailure', function tellFailure(this: FastifyRequest, error: unknown): void {
    observer.failed({ requestId: this.id, method: this.method, path: pathOf(this) }, error);
  });
  server.addHook('onRequest', (request, reply, done) => {
    // Fastify makes them anew whenever they are asked for.
    const { config, url: route } = request.routeOptions;
    const exchange = { request, reply, route, startMs: clock.elapsedMs(), controller: new AbortController() };
    const deadline = config.isEndless === true ? undefined : setTimeout(() => giveUp(exchange, answerMsMax), answerMsMax);
    // Probes and scrapes are not waited for.
    const isWaitedFor = config.scope !== 'open' && answering.begin();
    request.ending = exchange.controller.signal;
    reply.header('x-request-id', request.id);
    reply.raw.on('close', () => {
      clearTimeout(deadline);
      if (isWaitedFor) answering.end();
      if (!reply.raw.writableFinished) exchange.controller.abort();
      // The time is taken here, because Fastify's own (`elapsedTime`) is 0 on routes without a hook `onResponse`.
      observer.answered(summaryOf(exchange, clock.elapsedMs()));
    });
    done();
  });
  return { ended: answering.ended };
}

export const pathOf = ({ url }: FastifyRequest): string => url.split('?', 1)[0] ?? url;

function summaryOf({ request, reply, route, startMs }: Exchange, nowMs: number): Parameters<HttpObserver['answered']>[0] {
  return {
    requestId: request.id,
    method: request.method,
    path: pathOf(request),
    route,
    status: reply.raw.writableFinished ? reply.statusCode : clientLeft,
    seconds: (nowMs - startMs) / 1000,
    key: request.apiKey?.name,
    remoteAddress: request.ip,
  };
}

function giveUp({ reply, controller }: Exchange, answerMsMax: number): void {
  const error = serverError('LS_SERVER_TIME', `the answer took longer than ${answerMsMax} ms`);
  controller.abort(error);
  // What has begun to be sent cannot be taken back.
  if (reply.raw.headersSent) reply.raw.destroy();
  else if (!reply.sent) reply.send(error);
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
