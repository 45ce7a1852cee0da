/** From events to the log, in batches, with a bar for a person who watches. */
import type { Access } from '../../open-access.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import { inputRecordOf, type EncodedEvent } from '../../core/input-record.ts';
import type { OutputRecord } from '../../core/records.ts';
import { createBatchAppender, isInDoubt } from '../../pipeline/batch-appender.ts';
import { progressOf } from '../progress.ts';
import type { Output } from '../output.ts';

export type InputRecords = {
  /** Each may take its time to be made; an error of it ends the publishing. */
  readonly records: AsyncIterable<OutputRecord>;
  readonly bytesTotal: number;
  /** Bytes of the inputs that are read by now. */
  readonly bytesRead: () => number;
};

/** How many were acknowledged. */
export async function publishRecords(access: Access, { records, bytesTotal, bytesRead }: InputRecords, output: Output, signal: AbortSignal): Promise<number> {
  const progress = await progressOf(output, 'publishing', bytesTotal);
  const batches = createBatchAppender(access.transport, true);
  const watch = (): void => progress.update(bytesRead(), counted(batches.appended(), 'event'));
  try {
    for await (const record of records) {
      signal.throwIfAborted();
      await batches.append(record);
      watch();
    }
    await batches.flush();
    watch();
    return batches.appended();
  } catch (error) {
    progress.stop();
    output.note(whatIsPublished(batches.appended(), batches.pending(), error));
    throw error;
  } finally {
    progress.stop();
  }
}

function whatIsPublished(published: number, batchSize: number, error: unknown): string {
  const before = `${counted(published, 'event')} published before the failure`;
  if (!isInDoubt(error)) return before;
  return `${before}; whether the next ${batchSize} are, too, is unknown. Publish the files again: an event with the same id replaces the one before.`;
}

/**
 * An event as the record that carries it. Throws LS_CLI_INPUT.
 * @param place where the event was read, for the message.
 */
export function eventRecord({ partitionCountOf, configuration }: Access, event: EncodedEvent, place: string): OutputRecord {
  const made = inputRecordOf(event, partitionCountOf, configuration.transport.recordBytesMax);
  if (made.kind !== 'record') throw cliError('LS_CLI_INPUT', `${place}: ${made.message}`, { place });
  return made.record;
}
