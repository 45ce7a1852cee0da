import { AuthenticationError, MultipleErrors, NetworkError, ProtocolError, ResponseError, TimeoutError, UserError } from '@platformatic/kafka';
import { KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import { asKafkaError, isWithoutAnswer, protocolCodeOf } from '../../../src/transports/kafka/kafka-errors.ts';

const call = { operation: 'produce to', topic: 'labels', partition: 3, group: 'extract', transactionalId: 'extract-a-3' };
const produceApi = 0;

/** As kafkajs makes one of the number in an answer. */
function answer(code: number, type: string, retriable = false): KafkaJSProtocolError {
  return new KafkaJSProtocolError(Object.assign(new Error(`kafkajs says ${type}`), { type, code, retriable }));
}

/** kafkajs' types do not name all of its errors, nor what they are made of. */
function ofKafkajsNamed(name: string, message: string, fields: object = {}): Error {
  return Object.assign(new Error(message), { name, retriable: true, ...fields });
}

function told(error: unknown): LabelstreamError {
  const told = asKafkaError(error, call);
  if (!(told instanceof LabelstreamError)) expect.fail(`not told: ${String(told)}`);
  return told;
}

describe('what a broker answered', () => {
  test.each([
    [1, 'OFFSET_OUT_OF_RANGE', 'LS_TRANSPORT_POSITION_LOST'],
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'LS_TRANSPORT_TOPIC_MISSING'],
    [6, 'NOT_LEADER_OR_FOLLOWER', 'LS_KAFKA_REQUEST'],
    [7, 'REQUEST_TIMED_OUT', 'LS_KAFKA_REQUEST'],
    [10, 'MESSAGE_TOO_LARGE', 'LS_TRANSPORT_RECORD_TOO_LARGE'],
    [17, 'INVALID_TOPIC_EXCEPTION', 'LS_TRANSPORT_TOPIC_INVALID'],
    [18, 'RECORD_LIST_TOO_LARGE', 'LS_TRANSPORT_RECORD_TOO_LARGE'],
    [19, 'NOT_ENOUGH_REPLICAS', 'LS_KAFKA_REQUEST'],
    [22, 'ILLEGAL_GENERATION', 'LS_TRANSPORT_REVOKED'],
    [25, 'UNKNOWN_MEMBER_ID', 'LS_TRANSPORT_REVOKED'],
    [27, 'REBALANCE_IN_PROGRESS', 'LS_KAFKA_REQUEST'],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'LS_KAFKA_AUTHORIZATION'],
    [30, 'GROUP_AUTHORIZATION_FAILED', 'LS_KAFKA_AUTHORIZATION'],
    [31, 'CLUSTER_AUTHORIZATION_FAILED', 'LS_KAFKA_AUTHORIZATION'],
    [42, 'INVALID_REQUEST', 'LS_KAFKA_REFUSED'],
    [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'LS_KAFKA_REQUEST'],
    [47, 'INVALID_PRODUCER_EPOCH', 'LS_TRANSPORT_FENCED'],
    [51, 'CONCURRENT_TRANSACTIONS', 'LS_KAFKA_REQUEST'],
    [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'LS_KAFKA_AUTHORIZATION'],
    [58, 'SASL_AUTHENTICATION_FAILED', 'LS_KAFKA_AUTHENTICATION'],
    [90, 'PRODUCER_FENCED', 'LS_TRANSPORT_FENCED'],
  ] as const)('%i %s is %s, whichever driver asked', (number, type, code) => {
    const ofKafkajs = answer(number, type, code === 'LS_KAFKA_REQUEST');
    const ofPlatformatic = new ResponseError(produceApi, 9, { '/responses/0': [number, null] }, {});
    for (const error of [ofKafkajs, ofPlatformatic]) {
      expect(told(error)).toMatchObject({ code, retryable: code === 'LS_KAFKA_REQUEST' });
      expect(told(error).message).toContain('Could not produce to topic "labels", partition 3');
      expect(told(error).cause).toBe(error);
      expect(protocolCodeOf(error)).toBe(number);
    }
    expect(told(ofKafkajsNamed('KafkaJSNonRetriableError', ofKafkajs.message, { retriable: false, cause: ofKafkajs }))).toMatchObject({ code });
    expect(told(new KafkaJSNumberOfRetriesExceeded(ofKafkajs, { retryCount: 2, retryTime: 5 }))).toMatchObject({ code });
  });

  test('is found where kafkajs keeps a number that it does not know in the text alone', () => {
    const error = new KafkaJSProtocolError(Object.assign(new Error('Unknown error code 90'), { type: 'KAFKAJS_UNKNOWN_ERROR_CODE', code: -99, retriable: false }));
    expect(protocolCodeOf(error)).toBe(90);
    expect(told(error).code).toBe('LS_TRANSPORT_FENCED');
  });

  test.each([
    [29, 'topic "labels"'],
    [30, 'group "extract"'],
    [31, 'cluster'],
    [53, 'transactional id "extract-a-3"'],
  ])('of a missing right (%i) names the %s', (number, resource) => {
    const error = told(answer(number, 'SOME_AUTHORIZATION_FAILED'));
    expect(error.message).toContain(`not allowed on the ${resource}`);
    expect(error.details).toMatchObject({ operation: 'produce to' });
  });

  test('to credentials that nobody asked for says so', () => {
    expect(told(answer(34, 'ILLEGAL_SASL_STATE'))).toMatchObject({ code: 'LS_KAFKA_AUTHENTICATION', message: expect.stringContaining('(this port does not ask for SASL: leave out transport.sasl, or name one that does)') as string });
  });

  test('of one partition decides over another that was not tried for it', () => {
    const response = new ResponseError(24, 3, { '/a': [29, null], '/b': [55, null] }, {});
    expect(told(response).code).toBe('LS_KAFKA_AUTHORIZATION');
  });
});

describe('what did not come to an answer', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const untrusted = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });

  test.each([
    ['a refused connection', ofKafkajsNamed('KafkaJSConnectionError', 'Connection error', { code: 'ECONNREFUSED' }), 'LS_KAFKA_UNREACHABLE'],
    ['a refused connection', new MultipleErrors('Cannot connect to any broker.', [new NetworkError('Connection failed.', { cause: refused })]), 'LS_KAFKA_UNREACHABLE'],
    ['a connection that broke before it was used', new Error('Broker not connected'), 'LS_KAFKA_UNREACHABLE'],
    ['a connection that broke', ofKafkajsNamed('KafkaJSConnectionClosedError', 'Closed connection'), 'LS_KAFKA_UNREACHABLE'],
    ['a connection that was never made', new TimeoutError('Connection to h:1 timed out.', { canRetry: true }), 'LS_KAFKA_UNREACHABLE'],
    ['a request without an answer', ofKafkajsNamed('KafkaJSRequestTimeoutError', 'Request timed out'), 'LS_KAFKA_REQUEST'],
    ['a request without an answer', new TimeoutError('Request timed out', { canRetry: true }), 'LS_KAFKA_REQUEST'],
    ['no coordinator', ofKafkajsNamed('KafkaJSGroupCoordinatorNotFound', 'Failed to find group coordinator', { retriable: false }), 'LS_KAFKA_REQUEST'],
    ['an untrusted certificate', ofKafkajsNamed('KafkaJSConnectionError', 'Connection error', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'LS_KAFKA_TLS'],
    ['an untrusted certificate', new NetworkError('Connection failed.', { cause: untrusted }), 'LS_KAFKA_TLS'],
    ['TLS on a port without', new NetworkError('Connection failed.', { cause: new UserError('TLS handshake failed. Please verify the broker supports TLS.') }), 'LS_KAFKA_TLS'],
    ['a wrong password', ofKafkajsNamed('KafkaJSSASLAuthenticationError', 'SASL SCRAM SHA512 authentication failed: invalid credentials', { retriable: false }), 'LS_KAFKA_AUTHENTICATION'],
    [
      'a wrong password',
      new NetworkError('Connection failed.', { cause: new AuthenticationError('SASL authentication failed.', { cause: new ProtocolError(58) }) }),
      'LS_KAFKA_AUTHENTICATION',
    ],
    ['a handshake cut short', ofKafkajsNamed('KafkaJSSASLAuthenticationError', 'SASL SCRAM SHA512 authentication failed: Closed connection', { retriable: false }), 'LS_KAFKA_UNREACHABLE'],
    ['a handshake cut short', new AuthenticationError('SASL authentication failed.', { cause: new NetworkError('Connection closed') }), 'LS_KAFKA_UNREACHABLE'],
    ['an unknown topic', new UserError('Unknown topic labels.'), 'LS_TRANSPORT_TOPIC_MISSING'],
    ['a driver that refuses by itself', ofKafkajsNamed('KafkaJSNonRetriableError', 'Invalid topic', { retriable: false }), 'LS_KAFKA_REFUSED'],
  ] as const)('%s (%s) is %s', (_name, error, code) => {
    expect(told(error).code).toBe(code);
  });

  test('is a connection that the broker closed: why it may have is told, where the caller knows of a reason', () => {
    const closed = ofKafkajsNamed('KafkaJSConnectionClosedError', 'Closed connection');
    const exceeded = Object.assign(new KafkaJSNumberOfRetriesExceeded(closed, { retryCount: 4, retryTime: 0 }), { cause: closed });
    const connecting = { operation: 'connect to the brokers' };
    expect(asKafkaError(exceeded, { ...connecting, closedBecause: 'as others do' })).toMatchObject({ code: 'LS_KAFKA_UNREACHABLE', message: 'Could not connect to the brokers: Closed connection (as others do)' });
    expect(asKafkaError(exceeded, connecting)).toMatchObject({ code: 'LS_KAFKA_UNREACHABLE', message: 'Could not connect to the brokers: Closed connection' });
  });

  test('decides less than an answer to another attempt', () => {
    const errors = [new ProtocolError(58), new NetworkError('Connection closed'), new ProtocolError(7)];
    expect(told(new MultipleErrors('produce failed 3 times.', errors)).code).toBe('LS_KAFKA_AUTHENTICATION');
    expect(told(new MultipleErrors('produce failed 2 times.', errors.slice(1))).code).toBe('LS_KAFKA_REQUEST');
  });
});

test('what is of no driver passes unchanged', () => {
  for (const error of [new TypeError('a defect'), pipelineError('LS_TRANSPORT_CLOSED', 'closed'), Object.assign(new Error('disk'), { code: 'ENOSPC' })]) {
    expect(asKafkaError(error, call)).toBe(error);
  }
  expect(asKafkaError('thrown text', call)).toMatchObject({ message: 'thrown text', cause: 'thrown text' });
});

describe('whether nobody answered', () => {
  const exceeded = (cause: Error): Error => Object.assign(new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 0, retryTime: 0 }), { cause });
  test.each([
    [true, ofKafkajsNamed('KafkaJSRequestTimeoutError', 'Request Heartbeat(key: 12, version: 3) timed out')],
    [true, exceeded(ofKafkajsNamed('KafkaJSRequestTimeoutError', 'Request JoinGroup(key: 11, version: 5) timed out'))],
    [true, ofKafkajsNamed('KafkaJSGroupCoordinatorNotFound', 'Failed to find group coordinator')],
    [true, ofKafkajsNamed('KafkaJSLockTimeout', 'Timeout while acquiring lock (1 waiting locks): "connect to broker b:1"')],
    [true, ofKafkajsNamed('KafkaJSConnectionClosedError', 'Closed connection')],
    [true, new Error('Broker not connected')],
    // The member that leads the group has died.
    [false, exceeded(ofKafkajsNamed('KafkaJSRequestTimeoutError', 'Request SyncGroup(key: 14, version: 3) timed out'))],
    [false, exceeded(ofKafkajsNamed('KafkaJSError', 'The group is rebalancing, so a rejoin is needed'))],
    [false, answer(27, 'REBALANCE_IN_PROGRESS')],
    [false, answer(16, 'NOT_COORDINATOR_FOR_GROUP', true)],
    [false, answer(25, 'UNKNOWN_MEMBER_ID')],
    [false, answer(30, 'GROUP_AUTHORIZATION_FAILED')],
    [false, new Error('a defect')],
  ])('%s: %s', (expected, error) => {
    expect(isWithoutAnswer(asKafkaError(error, { operation: 'be a member of', group: 'g' }))).toBe(expected);
  });
});
