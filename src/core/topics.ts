/** The names of the topics. Inputs are read by EXTRACT, `features` by CLUSTER alone (SEMANTICS.md, rule 9). */
export const inputTopics = ['media.events', 'text.events', 'record.events', 'parked'] as const;
export const topics = {
  media: 'media.events',
  text: 'text.events',
  record: 'record.events',
  parked: 'parked',
  features: 'features',
  labels: 'labels',
  clusterEvents: 'cluster-events',
  deadLetters: 'dead-letters',
  metrics: 'metrics',
} as const;
export const allTopics: readonly string[] = Object.values(topics);
