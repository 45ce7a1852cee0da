import { errorFactory, type ErrorArea } from './error.ts';

export const codecErrors = {
  LS_CODEC_FORMAT: {
    cause: 'input',
    retryable: false,
    summary: "The value does not say what wrote it: it begins neither as an Avro single-object (C3 01 and an 8-byte schema fingerprint) nor in Confluent's format (00 and a schema id).",
    remedy: 'Publish with `labelstream publish`, or encode as the Avro specification describes under "Single-object encoding".',
  },
  LS_CODEC_SCHEMA_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'The value was written with a schema whose fingerprint this process does not know.',
    remedy: "Put the writer's schema (.avsc) into one of the configured schema directories, restart, and publish the dead letters again.",
  },
  LS_CODEC_SCHEMA_UNEXPECTED: {
    cause: 'input',
    retryable: false,
    summary: 'The value holds another kind of event than its topic carries.',
    remedy: 'Publish each kind of event to its own topic.',
  },
  LS_CODEC_MALFORMED: {
    cause: 'input',
    retryable: false,
    summary: "The bytes are no value of the writer's schema; details.reason says what is wrong and details.position where.",
    remedy: 'Repair the producer; the bytes may also have been cut or changed on their way.',
  },
  LS_CODEC_LIMIT: {
    cause: 'input',
    retryable: false,
    summary: 'The value is larger, deeper or has more items than the codec allows; details.reason names the limit.',
    remedy: 'Split the event, or refer to its content instead of carrying it inline.',
  },
  LS_CODEC_INVALID_EVENT: {
    cause: 'defect',
    retryable: false,
    summary: 'An event to be encoded does not fit its schema; details.path names the field.',
    remedy: 'Give the field a value of the type that its schema names.',
  },
  LS_CODEC_INCOMPATIBLE: {
    cause: 'configuration',
    retryable: false,
    summary: "A writer's schema in a schema directory cannot be read as any event of this version.",
    remedy: 'Give added fields a default, keep types as wide as they were, name renamed types as aliases; or remove the file.',
  },
  LS_CODEC_SCHEMA_INVALID: {
    cause: 'configuration',
    retryable: false,
    summary: 'A schema file cannot be read, or is no valid Avro schema.',
    remedy: 'Correct the file that details.file names.',
  },
} as const satisfies ErrorArea;

export const codecError = errorFactory(codecErrors);
