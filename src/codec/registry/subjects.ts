/** Under which subject of a registry the schema of an event is kept: the three strategies of Confluent's serialisers. */
import { topics } from '../../core/topics.ts';
import type { EventName } from '../event-names.ts';

export type SubjectStrategy = 'topic' | 'record' | 'topic-record';

/** Where events of a kind are first written; parked, redriven and replayed records are copies, bytes and all. */
const topicOf: Readonly<Record<EventName, string>> = {
  MediaEvent: topics.media,
  TextEvent: topics.text,
  RecordEvent: topics.record,
  FeatureEvent: topics.features,
  ControlEvent: topics.features,
  LabelEvent: topics.labels,
  ClusterEvent: topics.clusterEvents,
  MetricEvent: topics.metrics,
};

/**
 * TopicNameStrategy gives two events of `features` one subject: the configuration refuses it where subjects matter.
 * @param topicPrefix before the names of topics on the brokers.
 */
export function subjectOf(strategy: SubjectStrategy, topicPrefix: string, name: EventName): string {
  const fullName = `labelstream.v1.${name}`;
  switch (strategy) {
    case 'topic':
      return `${topicPrefix}${topicOf[name]}-value`;
    case 'record':
      return fullName;
    case 'topic-record':
      return `${topicPrefix}${topicOf[name]}-${fullName}`;
  }
}
