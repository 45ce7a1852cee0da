/** The event in a record, for commands: those that show it go on without one, those that act on it do not take an outage for an answer. */
import type { Codec } from './codec.ts';
import type { DecodedEvent } from './event-names.ts';
import { LabelstreamError } from '../core/errors/error.ts';

/** `note`: what to say in place of the event. */
export type ShownContent = { readonly event: DecodedEvent; readonly note?: never } | { readonly event: undefined; readonly note: string };

type Decoder = Pick<Codec, 'prepareDecode' | 'decode'>;

export async function shownContent(codec: Decoder, value: Buffer, signal: AbortSignal): Promise<ShownContent> {
  try {
    const event = await eventIn(codec, value, signal);
    return event === undefined ? { event, note: `${value.length} bytes that are no event` } : { event };
  } catch (error) {
    if (error instanceof LabelstreamError) return { event: undefined, note: `${value.length} bytes that cannot be decoded now: ${error.code}` };
    throw error;
  }
}

/** Undefined for what is no event, such as a dead letter of garbage. Rejects with the outage of a schema registry. */
export async function eventIn(codec: Decoder, value: Buffer, signal: AbortSignal): Promise<DecodedEvent | undefined> {
  await codec.prepareDecode(value, { signal });
  try {
    return codec.decode(value);
  } catch (error) {
    if (error instanceof LabelstreamError && !error.retryable) return undefined;
    throw error;
  }
}
