/**
 * How long whoever makes an answer goes on: until the client has left, or the time for it is over. (Fastify 5.12 has `request.signal` and `handlerTimeout`
 * for this, which Node ends as soon as the body of a request is read.)
 */
import type { FastifyInstance } from 'fastify';
import { serverError } from '../core/errors/server.ts';

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

export function addAnswerDeadline(server: FastifyInstance, answerMsMax: number): void {
  server.decorateRequest('ending', null as unknown as AbortSignal);
  server.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController();
    request.ending = controller.signal;
    const timer = request.routeOptions.config.isEndless === true ? undefined : setTimeout(giveUp, answerMsMax);
    function giveUp(): void {
      const error = serverError('LS_SERVER_TIME', `the answer took longer than ${answerMsMax} ms`);
      controller.abort(error);
      // What has begun to be sent cannot be taken back.
      if (reply.raw.headersSent) reply.raw.destroy();
      else if (!reply.sent) reply.send(error);
    }
    reply.raw.on('close', () => {
      clearTimeout(timer);
      if (!reply.raw.writableFinished) controller.abort();
    });
    done();
  });
}
