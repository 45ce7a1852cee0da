// Until when a record is kept, on the brokers: from the topic's settings to what is said of it.
import { expect, test } from 'vitest';
import { retentionOf, untilText } from '../../src/administration/known-retention.ts';
import { parseConfiguration } from '../../src/config/load.ts';
import { retentionIn } from '../../src/transports/kafka/topic-retention.ts';

const dayMs = 86_400_000;
const settings = {
  topic: 'text.events', incarnation: 'i', partitionCount: 1, timestampType: 'LogAppendTime', messageBytesMax: 1_000_000, retentionMs: 7 * dayMs, retentionBytes: -1, segmentMs: dayMs, cleanupPolicy: 'delete',
};
/** The time between two looks of a broker, and what it then takes to remove a file. */
const looksMs = 360_000;

test.each([
  ['by age', {}, { keptMsMax: 8 * dayMs + looksMs, bytesMax: undefined }],
  ['by size, too', { retentionBytes: 5 }, { keptMsMax: 8 * dayMs + looksMs, bytesMax: 5 }],
  ['never', { retentionMs: -1 }, { keptMsMax: undefined, bytesMax: undefined }],
  ['never, since it is compacted', { cleanupPolicy: 'compact', retentionBytes: 5 }, { keptMsMax: undefined, bytesMax: undefined }],
  ['at a time that producers say', { timestampType: 'CreateTime' }, { keptMsMax: undefined, bytesMax: undefined }],
] as const)('removed %s', (_name, changed, expected) => {
  expect(retentionIn({ ...settings, ...changed })).toEqual(expected);
});

test.each([
  ['by age', { keptMsMax: 8 * dayMs, bytesMax: undefined }, { latest: '1970-01-09T00:00:00.000Z', condition: 'the brokers remove it, by retention.ms and segment.ms of text.events' }],
  ['by size', { keptMsMax: undefined, bytesMax: 5 }, { latest: null, condition: 'the brokers remove it, when 5 bytes came after it in its partition' }],
  ['never', { keptMsMax: undefined, bytesMax: undefined }, { latest: null, condition: expect.stringContaining('get a limit in retention.ms') as string }],
  ['as nobody may see', undefined, { latest: null, condition: 'the brokers remove it, by retention.ms and retention.bytes of text.events' }],
] as const)('said of what is removed %s', (_name, retention, expected) => {
  const { configuration } = parseConfiguration('transport: { kind: kafka, brokers: ["kafka-1:9092"] }\n', { file: '/etc/c.yaml', environment: {}, assignments: [], tasks: [] });
  expect(untilText(retentionOf(configuration!, 'text.events', retention), 0)).toMatchObject(expected);
});
