/**
 * What the drivers throw, told in this program's codes. Kafka's own error codes are numbers, the same in both drivers, so they decide wherever
 * the broker answered; only what happened on this side of the wire is told by the drivers' names. An error of no driver passes unchanged.
 *
 * Errors contain errors here (kafkajs: `cause`; platformatic: `cause` and `errors`, one per attempt). The one that says most is looked for: one
 * that no repetition cures before one that is waited for, and the last before the earlier ones.
 */
import { kafkaError } from '../../core/errors/kafka.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';

/** What was being done, and on what: for the message and the details. */
export type KafkaCall = {
  /** A verb in the infinitive: `produce to`, `fetch from`, `commit offsets of`. */
  readonly operation: string;
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly group?: string | undefined;
  readonly transactionalId?: string | undefined;
  /** Why a broker may have closed the connection. */
  readonly closedBecause?: string | undefined;
};

/** What may be on an error of either driver; nothing of it is certain. */
type DriverError = Error & {
  readonly code?: unknown;
  readonly type?: unknown;
  readonly retriable?: unknown;
  readonly originalError?: unknown;
  readonly partitions?: unknown;
  readonly apiCode?: unknown;
  readonly apiId?: unknown;
  readonly canRetry?: unknown;
  readonly errors?: unknown;
};
type Verdict = { readonly error: LabelstreamError; readonly weight: number };

/** Of a call that concerns records: which topic of several is meant, no driver says. */
export function callOn(operation: string, records: readonly { readonly topic: string }[]): KafkaCall {
  const topics = new Set(records.map(({ topic }) => topic));
  return { operation, topic: [...topics].join('" or "') };
}

export function asKafkaError(thrown: unknown, call: KafkaCall): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
  if (error instanceof LabelstreamError || !isDriverError(error)) return error;
  return verdictOf(error, call, error, 0).error;
}

function isDriverError(error: unknown): error is DriverError {
  if (!(error instanceof Error)) return false;
  return isUnconnected(error) || error.name.startsWith('KafkaJS') || ('code' in error && typeof error.code === 'string' && error.code.startsWith('PLT_KFK_'));
}

/** kafkajs says it with an error of no name of its own, of a broker that it was about to ask when the connection broke. */
function isUnconnected({ name, message }: Error): boolean {
  return name === 'Error' && message === 'Broker not connected';
}

const nestingMax = 8;

/** `thrown` is the outermost error: it becomes the cause of whatever is made of one inside it. */
function verdictOf(error: DriverError, call: KafkaCall, thrown: Error, depth: number): Verdict {
  const inner = depth < nestingMax ? driverErrorsIn(error).map((one) => verdictOf(one, call, thrown, depth + 1)) : [];
  const best = inner.reduce<Verdict | undefined>((kept, next) => (kept === undefined || next.weight >= kept.weight ? next : kept), undefined);
  if (best !== undefined && !isAuthentication(error)) return best;
  // A connection that breaks during the handshake is told as a failed authentication: only an answer of the broker is one.
  if (best !== undefined && best.error.retryable) return best;
  return ownVerdict(error, call, thrown);
}

function driverErrorsIn(error: DriverError): readonly DriverError[] {
  return [...listed(error.errors), ...listed(error.partitions).map(errorOf), error.cause, error.originalError].filter(isDriverError);
}

const listed = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const errorOf = (value: unknown): unknown => (typeof value === 'object' && value !== null && 'error' in value ? value.error : undefined);

function ownVerdict(error: DriverError, call: KafkaCall, thrown: Error): Verdict {
  const code = protocolCode(error);
  if (code !== undefined) return answered(code, error, call, thrown);
  if (isAuthentication(error)) {
    return brokenHandshake.test(error.message)
      ? made('LS_KAFKA_UNREACHABLE', error, call, thrown)
      : made('LS_KAFKA_AUTHENTICATION', error, call, thrown);
  }
  if (error.code === 'PLT_KFK_USER' && /^Unknown topic /.test(error.message)) return transport('LS_TRANSPORT_TOPIC_MISSING', error, call, thrown);
  if (error.code === 'PLT_KFK_USER' && error.message.includes('TLS')) return made('LS_KAFKA_TLS', error, call, thrown);
  if (error.name === 'KafkaJSConnectionClosedError') return made('LS_KAFKA_UNREACHABLE', error, call, thrown, { because: call.closedBecause });
  if (isConnection(error)) return made(isTlsRefusal(error) ? 'LS_KAFKA_TLS' : 'LS_KAFKA_UNREACHABLE', error, call, thrown);
  return made(isPassing(error) ? 'LS_KAFKA_REQUEST' : 'LS_KAFKA_REFUSED', error, call, thrown);
}

/** The number of Kafka's protocol: kafkajs keeps it as `code` beside `type`, platformatic as `apiCode`. */
function protocolCode(error: DriverError): number | undefined {
  if (typeof error.apiCode === 'number') return error.apiCode;
  if (typeof error.type !== 'string' || typeof error.code !== 'number') return undefined;
  // kafkajs 2.2.4 knows the numbers up to 2021; of others (PRODUCER_FENCED for one) it keeps the number in the text alone.
  const unknown = /^Unknown error code (-?\d+)$/.exec(error.message)?.[1];
  return unknown === undefined ? error.code : Number(unknown);
}

/** What the broker answered, if it did, and however deep in the error it is. */
export function protocolCodeOf(error: unknown, depth = 0): number | undefined {
  if (!isDriverError(error) || depth > nestingMax) return undefined;
  return (
    protocolCode(error) ??
    driverErrorsIn(error)
      .map((inner) => protocolCodeOf(inner, depth + 1))
      .find((code) => code !== undefined)
  );
}

/**
 * What kafkajs throws where it got no answer. It does not say so of every error, and one answer, a rebalance while a member joins, it passes on without
 * its number; so these are named, not the others.
 */
const unanswered = new Set(['KafkaJSRequestTimeoutError', 'KafkaJSLockTimeout', 'KafkaJSGroupCoordinatorNotFound']);
/** Is answered when the member that leads the group has done its part, however well the brokers are. */
const waitsForOthers = /^Request SyncGroup\(/;

/** Whether it is certain that nobody answered; for what a member of a group asks for, by kafkajs, as told by `asKafkaError`. */
export function isWithoutAnswer(error: unknown): boolean {
  if (!(error instanceof LabelstreamError) || !error.retryable) return false;
  if (error.code === 'LS_KAFKA_UNREACHABLE') return true;
  return protocolCodeOf(error.cause) === undefined && isUnanswered(error.cause, 0);
}

function isUnanswered(error: unknown, depth: number): boolean {
  if (!isDriverError(error) || depth > nestingMax) return false;
  if (unanswered.has(error.name)) return !waitsForOthers.test(error.message);
  return driverErrorsIn(error).some((inner) => isUnanswered(inner, depth + 1));
}

const isAuthentication = (error: DriverError) => error.name === 'KafkaJSSASLAuthenticationError' || error.code === 'PLT_KFK_AUTHENTICATION';

/** kafkajs keeps of what happened during the handshake only the text. */
const brokenHandshake = /failed: (closed connection|connection closed by the server|connection (error|timeout)|not connected|request .* timed out)/i;

const connectionErrors = new Set(['KafkaJSConnectionError', 'KafkaJSNoBrokerAvailableError', 'KafkaJSBrokerNotFound']);

function isConnection(error: DriverError): boolean {
  if (isUnconnected(error) || connectionErrors.has(error.name)) return true;
  // platformatic gives time-outs the code of its network errors; of a connection that was never made it says so only in words.
  return error.code === 'PLT_KFK_NETWORK' && (error.constructor.name !== 'TimeoutError' || error.message.startsWith('Connection '));
}

/** OpenSSL's and Node's words for a handshake that one of both ends does not want. */
const tlsCode = /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|EPROTO$|(DEPTH_ZERO_)?SELF_SIGNED_CERT|HOSTNAME_MISMATCH$|INVALID_CA$)/;

function isTlsRefusal(error: DriverError): boolean {
  const cause = error.cause instanceof Error ? error.cause : undefined;
  const codes = [error.code, cause !== undefined && 'code' in cause ? cause.code : undefined];
  return codes.some((code) => typeof code === 'string' && tlsCode.test(code));
}

/** Of kafkajs' own errors these call themselves final, but pass. */
const passingErrors = new Set(['KafkaJSGroupCoordinatorNotFound', 'KafkaJSTimeout', 'KafkaJSLockTimeout']);

function isPassing(error: DriverError): boolean {
  return error.retriable === true || error.canRetry === true || passingErrors.has(error.name) || error.constructor.name === 'TimeoutError';
}

/** The broker's answers that are not told by whether they may be repeated. Numbers: https://kafka.apache.org/protocol#protocol_error_codes */
function answered(code: number, error: DriverError, call: KafkaCall, thrown: Error): Verdict {
  switch (code) {
    case 1:
      return transport('LS_TRANSPORT_POSITION_LOST', error, call, thrown);
    case 3: // UNKNOWN_TOPIC_OR_PARTITION
    case 100: // UNKNOWN_TOPIC_ID
      return transport('LS_TRANSPORT_TOPIC_MISSING', error, call, thrown);
    case 10: // MESSAGE_TOO_LARGE
    case 18: // RECORD_LIST_TOO_LARGE
      return transport('LS_TRANSPORT_RECORD_TOO_LARGE', error, call, thrown);
    case 17: // INVALID_TOPIC_EXCEPTION
      return transport('LS_TRANSPORT_TOPIC_INVALID', error, call, thrown);
    case 22: // ILLEGAL_GENERATION
    case 25: // UNKNOWN_MEMBER_ID
    case 82: // FENCED_INSTANCE_ID
      return transport('LS_TRANSPORT_REVOKED', error, call, thrown);
    case 47: // INVALID_PRODUCER_EPOCH
    case 49: // INVALID_PRODUCER_ID_MAPPING
    case 90: // PRODUCER_FENCED
      return transport('LS_TRANSPORT_FENCED', error, call, thrown);
    case 29:
      return made('LS_KAFKA_AUTHORIZATION', error, call, thrown, { resource: 'topic' });
    case 30:
      return made('LS_KAFKA_AUTHORIZATION', error, call, thrown, { resource: 'group' });
    case 31:
      return made('LS_KAFKA_AUTHORIZATION', error, call, thrown, { resource: 'cluster' });
    case 53:
      return made('LS_KAFKA_AUTHORIZATION', error, call, thrown, { resource: 'transactional id' });
    case 33: // UNSUPPORTED_SASL_MECHANISM
    case 58: // SASL_AUTHENTICATION_FAILED
      return made('LS_KAFKA_AUTHENTICATION', error, call, thrown);
    case 34: // ILLEGAL_SASL_STATE
      return made('LS_KAFKA_AUTHENTICATION', error, call, thrown, { because: 'this port does not ask for SASL: leave out transport.sasl, or name one that does' });
    default:
      return made(isPassing(error) || passingAnswers.has(code) ? 'LS_KAFKA_REQUEST' : 'LS_KAFKA_REFUSED', error, call, thrown);
  }
}

/**
 * Beyond what the drivers call retriable: BROKER_NOT_AVAILABLE, REBALANCE_IN_PROGRESS, what another producer cures (sequence numbers and states of
 * transactions that are in doubt: 45, 46, 48, 59, 120), and what Kafka calls retriable but kafkajs 2.2.4 does not know.
 */
const passingAnswers = new Set([8, 9, 13, 27, 45, 46, 48, 51, 52, 56, 59, 72, 74, 75, 78, 89, 103, 120]);

type KafkaCode = Parameters<typeof kafkaError>[0];
type TransportCode = Parameters<typeof pipelineError>[0];

type More = { readonly resource?: string; readonly because?: string | undefined };

function made(code: KafkaCode, error: DriverError, call: KafkaCall, thrown: Error, { resource, because }: More = {}): Verdict {
  const reason = resource === undefined ? because : `not allowed on the ${resourceName(resource, call)}`;
  const details = { ...detailsOf(error, call), ...(resource === undefined ? {} : { resource }) };
  return weighed(kafkaError(code, `${sentenceOf(error, call)}${reason === undefined ? '' : ` (${reason})`}`, details, { cause: thrown }));
}

function transport(code: TransportCode, error: DriverError, call: KafkaCall, thrown: Error): Verdict {
  return weighed(pipelineError(code, sentenceOf(error, call), detailsOf(error, call), { cause: thrown }));
}

/** A refusal decides over what passes, one that has a code of its own over others; an answer over a connection that broke before or after it. */
function weighed(error: LabelstreamError): Verdict {
  if (!error.retryable) return { error, weight: error.code === 'LS_KAFKA_REFUSED' ? 2 : 3 };
  return { error, weight: error.code === 'LS_KAFKA_UNREACHABLE' ? 0 : 1 };
}

function resourceName(resource: string, call: KafkaCall): string {
  const names: Readonly<Record<string, string | undefined>> = { topic: call.topic, group: call.group, 'transactional id': call.transactionalId };
  const name = names[resource];
  return name === undefined ? resource : `${resource} "${name}"`;
}

function sentenceOf(error: DriverError, call: KafkaCall): string {
  const where = [
    call.topic === undefined ? undefined : `topic "${call.topic}"${call.partition === undefined ? '' : `, partition ${String(call.partition)}`}`,
    call.group === undefined ? undefined : `group "${call.group}"`,
    call.transactionalId === undefined ? undefined : `transactional id "${call.transactionalId}"`,
  ].filter((part) => part !== undefined);
  const name = answerName(error);
  return `Could not ${[call.operation, where.join(', ')].join(' ').trim()}: ${name === undefined ? '' : `${name}: `}${error.message}`;
}

function answerName(error: DriverError): string | undefined {
  if (typeof error.apiId === 'string') return error.apiId;
  return typeof error.type === 'string' ? error.type : undefined;
}

function detailsOf(error: DriverError, call: KafkaCall): Record<string, string | number> {
  const { operation, topic, partition, group, transactionalId } = call;
  const all = { operation, topic, partition, group, transactionalId, answer: answerName(error) };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string | number] => entry[1] !== undefined));
}
