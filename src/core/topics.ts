/** The names of the topics. Inputs are read by EXTRACT, `features` by CLUSTER alone (SEMANTICS.md, rule 9). */

/** Where events come in. Anybody may write to them, so no header of ours counts there. */
export const eventTopics = ['media.events', 'text.events', 'record.events'] as const;
/** What labelstream itself writes for EXTRACT to read once more: here a record's origin, and what is to be run of it, count. */
const rerunTopics = ['parked', 'redrive', 'replay'] as const;
export const inputTopics = [...eventTopics, ...rerunTopics] as const;
export const topics = {
  media: 'media.events',
  text: 'text.events',
  record: 'record.events',
  parked: 'parked',
  redrive: 'redrive',
  replay: 'replay',
  features: 'features',
  labels: 'labels',
  clusterEvents: 'cluster-events',
  deadLetters: 'dead-letters',
  metrics: 'metrics',
} as const;
export const allTopics: readonly string[] = Object.values(topics);

export function isRerunTopic(topic: string): boolean {
  return rerunTopics.some((name) => name === topic);
}
