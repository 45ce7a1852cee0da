/** What an answer says to wait for. */
import { z } from 'zod';

export type WaitFor = { readonly topic: string; readonly partition: number; readonly sequence: bigint };

export const waitForSchema = z
  .array(z.strictObject({ topic: z.string(), partition: z.int(), sequence: z.string().describe('A whole number.') }))
  .describe('Once these partitions have been processed up to these sequences, what was asked for is in force. What was asked for is in the log by now, and survives a restart.');

/** Sequences are larger than numbers of JSON are in many languages. */
export function waitForJson(places: readonly WaitFor[]): z.infer<typeof waitForSchema> {
  return places.map(({ topic, partition, sequence }) => ({ topic, partition, sequence: String(sequence) }));
}
