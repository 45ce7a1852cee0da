/** From what was sent to the event of the schema. Throws LS_SERVER_REQUEST, which names the place; LS_SERVER_EVENT_TOO_LARGE. */
import { serverError } from '../../core/errors/server.ts';
import type { MediaEvent, RecordEvent, TextEvent } from '../../core/events.generated.ts';
import { contentOf, typeOf } from '../encoded-content.ts';
import type { SentMedia, SentRecord, SentText } from './event-schemas.ts';

export type SentEvents = { readonly place: string; readonly nowMs: number };

type Common = Pick<SentText, 'id' | 'source' | 'occurredAt' | 'tasks' | 'attributes'>;

function commonOf({ id, source, occurredAt, tasks = [], attributes = {} }: Common, { place, nowMs }: SentEvents) {
  const occurredAtMs = typeof occurredAt === 'string' ? Date.parse(occurredAt) : (occurredAt ?? nowMs);
  // What the pattern allows and is no date, as the 30th of February may be.
  if (!Number.isSafeInteger(occurredAtMs)) throw mistake(place, 'occurredAt', 'is no time');
  return { id, source, occurredAt: occurredAtMs, tasks: [...tasks], attributes: { ...attributes } };
}

export function textEventOf(sent: SentText, where: SentEvents): TextEvent {
  const { text, language, collection, deleted = false } = sent;
  if (text === undefined && !deleted) throw mistake(where.place, 'text', 'is missing; it is left out only where deleted is true');
  return { ...commonOf(sent, where), text: text ?? '', language: language ?? null, collection: collection ?? null, deleted };
}

export function recordEventOf(sent: SentRecord, where: SentEvents): RecordEvent {
  return { ...commonOf(sent, where), values: { ...sent.values } };
}

/** @param contentBytesMax of the content, inline or not. */
export function mediaEventOf(sent: SentMedia, where: SentEvents, contentBytesMax: number): MediaEvent {
  const { collection, deleted = false } = sent;
  return { ...commonOf(sent, where), ...contentIn(sent, where.place, contentBytesMax), collection: collection ?? null, deleted };
}

function contentIn({ content, contentType, deleted = false }: SentMedia, place: string, bytesMax: number): Pick<MediaEvent, 'content' | 'contentType'> {
  if (content === undefined) {
    if (!deleted) throw mistake(place, 'content', 'is missing; it is left out only where deleted is true');
    return { content: null, contentType: contentType ?? typeOf(Buffer.alloc(0)) };
  }
  if (typeof content === 'string') {
    const { bytes, contentType: found } = contentOf(content, `${place}content`);
    requireSize(bytes.length, place, bytesMax);
    return { content: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), contentType: contentType ?? found };
  }
  if (contentType === undefined) throw mistake(place, 'contentType', 'is missing: of a reference it has to be said');
  requireSize(content.sizeBytes, place, bytesMax);
  return { content: { ...content, sizeBytes: BigInt(content.sizeBytes) }, contentType };
}

function requireSize(bytes: number, place: string, bytesMax: number): void {
  if (bytes > bytesMax) throw serverError('LS_SERVER_EVENT_TOO_LARGE', `${place}content has ${bytes} bytes; media.bytesMax allows ${bytesMax}`);
}

function mistake(place: string, field: string, message: string): Error {
  return serverError('LS_SERVER_REQUEST', `${place}${field} ${message}`, { field });
}
