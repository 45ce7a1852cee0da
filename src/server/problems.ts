/** Problem details (RFC 9457): what failed requests are answered, where no emulated interface prescribes errors of its own. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { serverError } from '../core/errors/server.ts';
import { failedAnswer, type FailedAnswer } from './answers.ts';
import type { FailureFormat } from './http-port.ts';
import { schemaOf } from './schemas.ts';

const schema = schemaOf(
  z
    .strictObject({
      type: z.string().describe('A relative reference: `/errors/CODE` describes the kind of failure.'),
      title: z.string().describe('What this kind of failure is.'),
      status: z.int().describe('The status of the answer.'),
      detail: z.string().describe('What is wrong this time.'),
      code: z.string().describe('The stable code of the failure.'),
      remedy: z.string().describe('What to do about it.'),
      requestId: z.string().describe('As the log names the request.'),
    })
    .describe('Problem details as of RFC 9457.'),
);

export const problemMediaType = 'application/problem+json';

export function problemOf({ status, code, title, detail, remedy }: FailedAnswer, requestId: string): object {
  return { type: `/errors/${code}`, title, status, detail, code, remedy, requestId };
}

export const problemDetails: FailureFormat = {
  mediaType: problemMediaType,
  schema,
  write: (request, reply, answer) => reply.code(answer.status).type(problemMediaType).serializer(JSON.stringify).send(problemOf(answer, request.id)),
};

/** For `setErrorHandler`. @param failed is told of what the answer keeps back. */
export function failureHandler({ write }: FailureFormat, failed: (request: FastifyRequest, error: unknown) => void) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const answer = failedAnswer(inWords(error, request));
    // What was given up because nobody waits for it has not failed.
    if (answer.isInternal && !hasLeft(request, error)) failed(request, error);
    if (answer.retryAfterSeconds !== undefined) reply.header('retry-after', String(answer.retryAfterSeconds));
    return write(request, reply, answer);
  };
}

/** Whether the client has left, and the error says only that. (Before the hooks of a request have run, nothing has been begun.) */
function hasLeft({ ending }: { readonly ending: AbortSignal | null }, error: unknown): boolean {
  return ending?.aborted === true && error === ending.reason;
}

/** What Fastify finds, which does not say what it was given. */
function inWords(error: unknown, request: FastifyRequest): unknown {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || code === 'FST_INVALID_MULTIPART_CONTENT_TYPE') return otherType(error, request);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(error, request);
  return error;
}

/** A route of a plugin may have a limit of its own. */
function tooLarge(cause: unknown, { routeOptions: { bodyLimit }, server }: FastifyRequest): Error {
  const setting = bodyLimit === server.initialConfig.bodyLimit ? ' (server.bodyBytesMax)' : '';
  return serverError('LS_SERVER_BODY_TOO_LARGE', `the body has more than ${bodyLimit} bytes${setting}`, {}, { cause });
}

function otherType(cause: unknown, { headers, routeOptions: { schema, config } }: FastifyRequest): Error {
  const type = headers['content-type'];
  const said = type === undefined ? 'nothing says what the body is (content-type)' : `the body is said to be ${type}`;
  const taken = schema?.consumes ?? Object.keys(config.documented?.body.content ?? { 'application/json': {} });
  return serverError('LS_SERVER_MEDIA_TYPE', `${said}; this operation takes ${taken.join(' or ')}`, {}, { cause });
}
