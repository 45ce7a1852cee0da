/** How long records stay, judged from a topic's settings. Pure. */
import type { TopicRetention } from '../../pipeline/transport.ts';
import type { TopicSettings } from './topics.ts';

/** Kafka's defaults of log.retention.check.interval.ms and file.delete.delay.ms: the first is the brokers' own, which few may ask for. */
const removalMsMax = 300_000 + 60_000;

/** Whole segments go: the first record of one is as old as it can be once the last one, `segment.ms` younger, is over age. */
export function retentionIn({ cleanupPolicy, timestampType, retentionMs, retentionBytes, segmentMs }: TopicSettings): TopicRetention {
  const removes = cleanupPolicy.split(',').includes('delete');
  const ages = removes && timestampType === 'LogAppendTime' && retentionMs >= 0;
  return { keptMsMax: ages ? retentionMs + segmentMs + removalMsMax : undefined, bytesMax: removes && retentionBytes >= 0 ? retentionBytes : undefined };
}
