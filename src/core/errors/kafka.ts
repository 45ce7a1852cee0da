import { errorFactory, type ErrorArea } from './error.ts';

export const kafkaErrors = {
  LS_KAFKA_UNREACHABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'No connection to a Kafka broker could be made, or it broke.',
    remedy: '`run` waits for the brokers and goes on when they are back; repeat any other command then. Otherwise check `transport.brokers`, the network and the brokers; a port that does not speak TLS, or asks for TLS or SASL where it is not configured, closes connections.',
  },
  LS_KAFKA_TLS: {
    cause: 'configuration',
    retryable: false,
    summary: 'The encrypted connection to a Kafka broker was refused by one of its two ends.',
    remedy: 'Check the certificate authority, the client certificate and that the port named in `transport.brokers` is one that speaks TLS.',
  },
  LS_KAFKA_CREDENTIALS_FILE: {
    cause: 'configuration',
    retryable: false,
    summary: 'A file with the password or a certificate for Kafka cannot be read, or is empty.',
    remedy: 'Correct `transport.sasl.passwordFile` or the files of `transport.tls`, or the permissions of the file.',
  },
  LS_KAFKA_AUTHENTICATION: {
    cause: 'configuration',
    retryable: false,
    summary: 'Kafka does not accept the user name, the password or the mechanism.',
    remedy: 'Correct the SASL settings, or the credentials that the brokers keep of this user.',
  },
  LS_KAFKA_AUTHORIZATION: {
    cause: 'configuration',
    retryable: false,
    summary: 'Kafka does not allow this user the operation.',
    remedy: 'Grant it on the resource that the message names: docs/kafka.md lists what is needed, under "Rights".',
  },
  LS_KAFKA_REQUEST: {
    cause: 'environment',
    retryable: true,
    summary: 'Kafka did not answer a request in time, or said that it cannot serve it now.',
    remedy: '`run` tries again until it passes; repeat any other command then. Otherwise look at the brokers, their leaders and their replicas.',
  },
  LS_KAFKA_REFUSED: {
    cause: 'environment',
    retryable: false,
    summary: 'Kafka refused a request, and would refuse it again.',
    remedy: 'See what Kafka answered in the message; the versions supported are 2.8 to 4.x.',
  },
  LS_KAFKA_RECORDS_UNREADABLE: {
    cause: 'environment',
    retryable: false,
    summary: 'A record batch of a topic is damaged, larger than 64 MiB and than 16 times its compressed size, or written in a form that is not read here.',
    remedy: 'Write with a client that speaks the record format of Kafka 0.11 or later; where the batch is damaged or too large, set the group behind it.',
  },
  LS_KAFKA_COMPRESSION: {
    cause: 'configuration',
    retryable: false,
    summary: 'The Kafka client that was chosen cannot compress this way.',
    remedy: 'Set `transport.compression` to none or gzip, or `transport.producer` to platformatic.',
  },
} as const satisfies ErrorArea;

export const kafkaError = errorFactory(kafkaErrors);
