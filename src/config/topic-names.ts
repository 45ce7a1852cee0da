/** Topics as the brokers name them: with `transport.namePrefix` before the name that everything here uses. */
import type { Configuration } from './load.ts';

type Names = Pick<Configuration, 'transport'>;

/** Whether a text means the topic, with the prefix or without. */
export function isTopicNamed({ transport }: Names, text: string, topic: string): boolean {
  return text === topic || text === `${topicPrefixOf(transport)}${topic}`;
}

export function topicPrefixOf(transport: Configuration['transport']): string {
  return transport.kind === 'kafka' ? transport.namePrefix : '';
}
