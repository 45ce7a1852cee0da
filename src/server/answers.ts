/** What a failed request is answered: a status, and as much of the failure as concerns whoever asked. */
import type { FastifyError } from 'fastify';
import { LabelstreamError } from '../core/errors/error.ts';
import { serverError } from '../core/errors/server.ts';

export type FailedAnswer = {
  readonly status: number;
  readonly code: string;
  /** The same for every failure of the code. */
  readonly title: string;
  readonly detail: string;
  readonly remedy: string;
  readonly retryAfterSeconds?: number | undefined;
  /** Whether the answer keeps back what the log has to tell. */
  readonly isInternal: boolean;
  readonly cause: unknown;
};

/** Of codes whose cause alone does not say it. */
const statuses: Readonly<Record<string, number>> = {
  LS_SERVER_KEY: 401,
  LS_SERVER_SCOPE: 403,
  LS_SERVER_NOT_FOUND: 404,
  // A fault of the configuration in a stream; here of whoever asks.
  LS_MODEL_REQUEST: 400,
  LS_TASK_UNKNOWN: 404,
  LS_MODEL_UNKNOWN: 404,
  LS_SERVER_JOB_UNKNOWN: 404,
  LS_SERVER_METHOD: 405,
  LS_STATE_REPARTITION_PENDING: 409,
  LS_TRANSPORT_FENCED: 409,
  LS_SERVER_MODEL_CHANGED: 409,
  LS_SERVER_STREAM_GONE: 410,
  LS_SERVER_BODY_TOO_LARGE: 413,
  LS_SERVER_EVENT_TOO_LARGE: 413,
  LS_SERVER_MEDIA_TYPE: 415,
  LS_SERVER_HOST: 421,
  LS_SERVER_RATE: 429,
  LS_SERVER_TIME: 504,
};

/** What Fastify finds wrong with a request before anybody else sees it. */
const refusals: Readonly<Record<string, Parameters<typeof serverError>[0]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'LS_SERVER_BODY_TOO_LARGE',
  FST_REQ_FILE_TOO_LARGE: 'LS_SERVER_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'LS_SERVER_MEDIA_TYPE',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'LS_SERVER_MEDIA_TYPE',
};

/** What the codes of a status are called in the OpenAPI document, where they follow from the cause. */
const otherCodes: Readonly<Record<number, readonly string[]>> = {
  400: ['LS_SERVER_REQUEST', 'or what is wrong with what is to be processed'],
  408: ['LS_SERVER_REQUEST'],
  431: ['LS_SERVER_REQUEST'],
  500: ['LS_SERVER_INTERNAL', 'or what is wrong with the configuration'],
  503: ['LS_SERVER_NOT_READY', 'LS_SERVER_DRAINING', 'or what else passes: `retry-after` says when'],
};

/** The codes that are answered with a status. */
export function codesOf(status: number): readonly string[] {
  return otherCodes[status] ?? Object.keys(statuses).filter((code) => statuses[code] === status);
}

const overloadedRetrySeconds = 1;

export function failedAnswer(thrown: unknown): FailedAnswer {
  const error = asLabelstreamError(thrown);
  const { code, description, message } = error;
  const { summary: title, remedy, retryable } = description;
  const status = statuses[code] ?? refusedStatus(thrown) ?? (description.cause === 'input' ? 400 : retryable ? 503 : 500);
  const isInternal = status === 500;
  const retryAfterSeconds = retryAfterOf(error) ?? (status === 503 ? overloadedRetrySeconds : undefined);
  return { status, code, title, detail: isInternal ? title : message, remedy, retryAfterSeconds, isInternal, cause: thrown };
}

/** Of a refusal by rate, as the limiter says it. */
function retryAfterOf({ details }: LabelstreamError): number | undefined {
  const seconds = details['retryAfterSeconds'];
  return typeof seconds === 'number' ? seconds : undefined;
}

/** What Fastify, or a plugin, says with an error of its own. */
function refusedStatus(thrown: unknown): number | undefined {
  if (thrown instanceof LabelstreamError) return undefined;
  const { statusCode = 500 } = thrown as Partial<FastifyError>;
  return statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}

function asLabelstreamError(thrown: unknown): LabelstreamError {
  if (thrown instanceof LabelstreamError) return thrown;
  const { code = '', message = String(thrown) } = thrown as Partial<FastifyError>;
  const refusal = refusals[code] ?? (refusedStatus(thrown) === undefined ? 'LS_SERVER_INTERNAL' : 'LS_SERVER_REQUEST');
  return serverError(refusal, isOfCompression(code) ? `the body is not compressed as content-encoding says: ${message}` : message, {}, { cause: thrown });
}

/** As zlib has them: Z_DATA_ERROR, Z_BUF_ERROR. */
const isOfCompression = (code: string): boolean => code.startsWith('Z_');
