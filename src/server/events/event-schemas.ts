/** What is sent for an event: the fields of its Avro schema, with those left out that have a default. */
import { z } from 'zod';
import { identifierLengthMax } from '../../core/ids.ts';
import { schemaOf, type Schema } from '../schemas.ts';

/** The end of the year 9999: beyond it ISO 8601 has no plain dates. */
const timeMsMax = 253_402_300_799_999;

const common = {
  id: z.string().min(1).max(identifierLengthMax).describe('Names the item, together with the source: a later event of the same item replaces it.'),
  source: z.string().min(1).max(identifierLengthMax).regex(/^[^/]*$/).describe('Where the item comes from; without a slash.'),
  occurredAt: z
    .union([z.int().min(-timeMsMax).max(timeMsMax), z.iso.datetime({ offset: true }).describe('A date, a time to the second, and Z or an offset: 2026-01-01T10:00:00+01:00.')])
    .optional()
    .describe('Milliseconds (not seconds) since the epoch, or a date, a time to the second, and Z or an offset, as of ISO 8601; now, where it is left out.'),
  tasks: z.array(z.string()).optional().describe("Restricts the matching routes' steps to these tasks; none: all."),
  attributes: z.record(z.string(), z.string()).optional(),
};
const collection = z.string().optional().describe('What ${collection} is in templates of collections.');
const deleted = z.boolean().optional().describe('The item is gone: it leaves every collection.');

const reference = z
  .strictObject({
    uri: z.string().regex(/^([Ff][Ii][Ll][Ee]|[Hh][Tt][Tt][Pp][Ss]?):/).describe('file:, http: or https:.'),
    sha256: z.string().regex(/^[0-9a-f]{64}$/).describe('64 lower-case hexadecimal digits.'),
    sizeBytes: z.int().min(1),
  })
  .describe('Where the content is. It is fetched, and compared, when the event is processed.');

export const mediaEvent = z.strictObject({
  ...common,
  contentType: z.string().min(1).optional().describe('Of a reference it has to be said; of an image that is sent it is found out.'),
  content: z.union([z.string().describe('Base64, with or without the head of a data URL.'), reference]).optional().describe('Left out only where the item is deleted.'),
  collection,
  deleted,
});

export const textEvent = z.strictObject({
  ...common,
  text: z.string().optional().describe('Left out only where the item is deleted.'),
  language: z.string().optional().describe('BCP 47.'),
  collection,
  deleted,
});

export const recordEvent = z.strictObject({ ...common, values: z.record(z.string(), z.number()).describe('The fields of the record.') });

export type SentMedia = z.infer<typeof mediaEvent>;
export type SentText = z.infer<typeof textEvent>;
export type SentRecord = z.infer<typeof recordEvent>;

const eventsMax = 1_000;

/** One event, or several. */
export function bodyOf<Event extends z.ZodType>(event: Event): Schema<z.output<Event> | { readonly events: readonly z.output<Event>[] }> {
  return schemaOf(z.union([event, z.strictObject({ events: z.array(event).min(1).max(eventsMax) })]));
}
