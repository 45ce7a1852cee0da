/** Until when records are kept, as far as the configuration and the settings of topics tell. */
import type { Access } from '../open-access.ts';
import type { Configuration } from '../config/load.ts';
import { topics } from '../core/topics.ts';
import { retentionLimits } from '../open-transport.ts';
import type { TopicRetention } from '../pipeline/transport.ts';

export type KnownRetention = {
  /** Longest time after its append that a record is there; undefined: no limit by age is known. */
  readonly keptMsMax: number | undefined;
  /** What else decides. */
  readonly condition: string;
  /** What `keptMsMax` rests on. */
  readonly proviso: string;
};

export async function knownRetention({ configuration, transport }: Pick<Access, 'configuration' | 'transport'>, topic: string): Promise<KnownRetention> {
  return retentionOf(configuration, topic, await transport.topicRetention(topic));
}

/** @param settings of the topic on the brokers, where they are known. */
export function retentionOf({ transport, dataDirectory }: Pick<Configuration, 'transport' | 'dataDirectory'>, topic: string, settings: TopicRetention | undefined): KnownRetention {
  if (transport.kind === 'kafka') return retentionOnBrokers(topic, settings);
  const proviso = 'while `run` works';
  const { ms, bytes } = retentionLimits(transport.retention, topic);
  if (ms === undefined && bytes === undefined) return { keptMsMax: undefined, condition: `transport.retention has a limit for ${topic} (now it has none), or ${dataDirectory} is removed`, proviso };
  const first = topic === topics.features ? ', once every snapshot kept is above it' : topic === topics.redrive ? ', once no older dead letter is kept' : '';
  const condition = bytes === undefined ? `\`run\` removes it${first}` : `\`run\` removes it${first}, when ${bytes} bytes came after it in its partition`;
  // A segment takes records for so long, and its last one is kept for as long again; then somebody has to look.
  const longest = (limitMs: number | undefined): number | undefined => (limitMs === undefined ? undefined : 2 * limitMs + transport.retention.checkIntervalMs);
  if (topic !== topics.redrive) return { keptMsMax: longest(ms), condition, proviso };
  const [own, deadLetters] = [longest(ms), longest(retentionLimits(transport.retention, topics.deadLetters).ms)];
  return { keptMsMax: own === undefined || deadLetters === undefined ? undefined : own + deadLetters, condition, proviso };
}

function retentionOnBrokers(topic: string, settings: TopicRetention | undefined): KnownRetention {
  const proviso = 'if the brokers look as often as by default (log.retention.check.interval.ms)';
  if (settings === undefined) return { keptMsMax: undefined, condition: `the brokers remove it, by retention.ms and retention.bytes of ${topic}`, proviso };
  const { keptMsMax, bytesMax } = settings;
  if (keptMsMax === undefined && bytesMax === undefined) return { keptMsMax, condition: `the brokers get a limit in retention.ms or retention.bytes of ${topic} (now there is none that removes by age or size)`, proviso };
  if (keptMsMax === undefined) return { keptMsMax, condition: `the brokers remove it, when ${bytesMax} bytes came after it in its partition`, proviso };
  return { keptMsMax, condition: `the brokers remove it, by retention.ms and segment.ms of ${topic}${bytesMax === undefined ? '' : ', or sooner by retention.bytes'}`, proviso };
}

export type Until = { readonly latest: null; readonly condition: string } | { readonly latest: string; readonly condition: string; readonly proviso: string };

/** @param appendTimeMs of the last record. */
export function untilText({ keptMsMax, condition, proviso }: KnownRetention, appendTimeMs: number): Until {
  return keptMsMax === undefined ? { latest: null, condition } : { latest: new Date(appendTimeMs + keptMsMax).toISOString(), condition, proviso };
}
