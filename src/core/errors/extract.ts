import { errorFactory, type ErrorArea } from './error.ts';

export const extractErrors = {
  LS_EXTRACT_SCHEMA_UNEXPECTED: {
    cause: 'input',
    retryable: false,
    summary: 'The record holds an event of another kind than its topic is for.',
    remedy: 'Publish TextEvents to text.events, RecordEvents to record.events and MediaEvents to media.events.',
  },
  LS_EXTRACT_EVENT_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A field of the event breaks a rule.',
    remedy: 'Correct the field named: id and source have 1 to 512 characters, and a source has no slash.',
  },
  LS_EXTRACT_TASK_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'The event asks for a task that does not exist.',
    remedy: 'Correct the tasks of the event; without any, all steps of its routes run.',
  },
  LS_EXTRACT_UNROUTED: {
    cause: 'input',
    retryable: false,
    summary: 'No route takes the event, or none has a step for the tasks it asks for.',
    remedy: 'Add a route for it, or set extract.unrouted to drop.',
  },
  LS_EXTRACT_STEP_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'A redrive or a replay names a step that no route of the event has (any more); none of its steps was run.',
    remedy: 'Give the route and the step their former names and redrive again, or replay the event: it then goes through the steps that there are.',
  },
  LS_EXTRACT_COLLECTION_EMPTY: {
    cause: 'input',
    retryable: false,
    summary: 'The template of a collection gave no name for the event.',
    remedy: 'Give the template a default (${...|default}), or publish events that have the value.',
  },
  LS_EXTRACT_COLLECTION_NOT_ALLOWED: {
    cause: 'input',
    retryable: false,
    summary: 'The template of a collection gave a name that its definition does not allow.',
    remedy: 'Add the name to the names of the collection, or correct the event.',
  },
  LS_EXTRACT_OUTPUT_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'A result is larger than a record may be.',
    remedy: 'Raise transport.recordBytesMax, or publish smaller inputs.',
  },
  LS_EXTRACT_STEP_FAILED: {
    cause: 'defect',
    retryable: false,
    summary: 'A step failed with an error that this program does not know.',
    remedy: 'Report the message with the model and task it names; redrive its dead letter after a correction.',
  },
} as const satisfies ErrorArea;

export const extractError = errorFactory(extractErrors);
