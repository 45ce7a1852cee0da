/** Under which names the stages read, and where they begin. */
import type { Configuration } from './config/load.ts';
import { isRerunTopic } from './core/topics.ts';
import { clusterStageName } from './stages/cluster/stage-name.ts';

/** What was parked, redriven or replayed before the first start was given to EXTRACT: none of it may be passed over. */
export function startAtOf({ startAt }: Configuration, topic: string): Configuration['startAt'] {
  return isRerunTopic(topic) ? 'earliest' : startAt;
}

export function clusterGroupOf(configuration: Configuration): string {
  return groupOf(configuration, { name: clusterStageName });
}

export function groupOf({ group }: Configuration, { name }: { readonly name: string }): string {
  return `${group}-${name}`;
}
