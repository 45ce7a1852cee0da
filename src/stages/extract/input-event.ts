/** From a record of an input topic to a valid event, or to the error of its dead letter. */
import type { Codec } from '../../codec/codec.ts';
import { extractError } from '../../core/errors/extract.ts';
import type { MediaEvent, RecordEvent, TextEvent } from '../../core/events.generated.ts';
import { identifierMistake } from '../../core/ids.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';

/** An event as it was published; what it refers to is not read yet. */
export type InputEvent =
  | { readonly kind: 'media'; readonly event: MediaEvent }
  | { readonly kind: 'text'; readonly event: TextEvent }
  | { readonly kind: 'record'; readonly event: RecordEvent };

const schemaOfTopic: Readonly<Record<string, string>> = {
  [topics.media]: 'MediaEvent',
  [topics.text]: 'TextEvent',
  [topics.record]: 'RecordEvent',
};

/** Throws a LabelstreamError whose cause is the input. */
export function readInputEvent(codec: Codec, record: ConsumedRecord): InputEvent {
  const decoded = codec.decode(record.value);
  const expected = schemaOfTopic[record.topic];
  if (expected !== undefined && decoded.schema !== expected) {
    throw extractError('LS_EXTRACT_SCHEMA_UNEXPECTED', `a ${decoded.schema} came in ${record.topic}, which takes ${expected}`, {
      schema: decoded.schema,
    });
  }
  const input = inputEventOf(decoded);
  const mistake = identifierMistake(input.event);
  if (mistake !== undefined) throw extractError('LS_EXTRACT_EVENT_INVALID', mistake.message, { field: mistake.field });
  if (input.kind === 'media' && input.event.content === null && !input.event.deleted) {
    throw extractError('LS_EXTRACT_EVENT_INVALID', 'the field content is null, though the event is not deleted', { field: 'content' });
  }
  return input;
}

function inputEventOf(decoded: ReturnType<Codec['decode']>): InputEvent {
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
