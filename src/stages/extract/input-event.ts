/** From a record of an input topic to a valid event, or to the error of its dead letter. */
import type { Codec } from '../../codec/codec.ts';
import { extractError } from '../../core/errors/extract.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import type { TaskEvent } from '../../tasks/task.ts';

const schemaOfTopic: Readonly<Record<string, string>> = {
  [topics.media]: 'MediaEvent',
  [topics.text]: 'TextEvent',
  [topics.record]: 'RecordEvent',
};

const identifierLengthMax = 512;

/** Throws a LabelstreamError whose cause is the input. */
export function readInputEvent(codec: Codec, record: ConsumedRecord): TaskEvent {
  const decoded = codec.decode(record.value);
  const expected = schemaOfTopic[record.topic];
  if (expected !== undefined && decoded.schema !== expected) {
    throw extractError('LS_EXTRACT_SCHEMA_UNEXPECTED', `a ${decoded.schema} came in ${record.topic}, which takes ${expected}`, {
      schema: decoded.schema,
    });
  }
  const input = inputEventOf(decoded);
  checkIdentifiers(input.event);
  return input;
}

function inputEventOf(decoded: ReturnType<Codec['decode']>): TaskEvent {
  switch (decoded.schema) {
    case 'MediaEvent':
      return { kind: 'media', event: decoded.event };
    case 'TextEvent':
      return { kind: 'text', event: decoded.event };
    case 'RecordEvent':
      return { kind: 'record', event: decoded.event };
    default:
      throw extractError('LS_EXTRACT_SCHEMA_UNEXPECTED', `a ${decoded.schema} is no input event`, { schema: decoded.schema });
  }
}

/** A slash in the source would let two pairs (source, id) name one item. */
function checkIdentifiers(event: { readonly id: string; readonly source: string }): void {
  for (const field of ['id', 'source'] as const) {
    const { length } = event[field];
    if (length === 0 || length > identifierLengthMax) {
      throw extractError('LS_EXTRACT_EVENT_INVALID', `the field ${field} has ${length} characters; 1 to ${identifierLengthMax} are allowed`, { field });
    }
  }
  if (event.source.includes('/')) throw extractError('LS_EXTRACT_EVENT_INVALID', 'the field source contains a slash', { field: 'source' });
}
