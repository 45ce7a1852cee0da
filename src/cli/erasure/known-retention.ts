/** Until when records are kept, as far as the configuration tells. */
import type { Configuration } from '../../config/load.ts';
import { topics } from '../../core/topics.ts';
import { retentionLimits } from '../../open-transport.ts';

export type KnownRetention = {
  /** Longest time after its append that a record is there; undefined: no limit by age is known. */
  readonly keptMsMax: number | undefined;
  /** What else decides. */
  readonly condition: string;
};

export function retentionOf({ transport, dataDirectory }: Pick<Configuration, 'transport' | 'dataDirectory'>, topic: string): KnownRetention {
  if (transport.kind === 'kafka') return { keptMsMax: undefined, condition: `the brokers remove it, by retention.ms and retention.bytes of ${topic}` };
  const { ms, bytes } = retentionLimits(transport.retention, topic);
  if (ms === undefined && bytes === undefined) return { keptMsMax: undefined, condition: `transport.retention has a limit for ${topic} (now it has none), or ${dataDirectory} is removed` };
  const first = topic === topics.features ? ', once every snapshot kept is above it' : topic === topics.redrive ? ', once no older dead letter is kept' : '';
  const condition = bytes === undefined ? `\`run\` removes it${first}` : `\`run\` removes it${first}, when ${bytes} bytes came after it in its partition`;
  // A segment takes records for so long, and its last one is kept for as long again; then somebody has to look.
  const longest = (limitMs: number | undefined): number | undefined => (limitMs === undefined ? undefined : 2 * limitMs + transport.retention.checkIntervalMs);
  if (topic !== topics.redrive) return { keptMsMax: longest(ms), condition };
  const [own, deadLetters] = [longest(ms), longest(retentionLimits(transport.retention, topics.deadLetters).ms)];
  return { keptMsMax: own === undefined || deadLetters === undefined ? undefined : own + deadLetters, condition };
}

/** @param appendTimeMs of the last record. */
export function untilText({ keptMsMax, condition }: KnownRetention, appendTimeMs: number): { readonly latest: string | null; readonly condition: string } {
  return { latest: keptMsMax === undefined ? null : new Date(appendTimeMs + keptMsMax).toISOString(), condition };
}
