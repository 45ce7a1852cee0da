import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { ownTopic, parsedTopic } from '../../src/cli/topic-names.ts';
import { isTopicNamed } from '../../src/config/topic-names.ts';
import { parseConfiguration, type Configuration } from '../../src/config/load.ts';
import { allTopics, eventTopics } from '../../src/core/topics.ts';

function configured(transport: string): Configuration {
  const { configuration } = parseConfiguration(`transport: { ${transport} }\n`, { file: '/c.yaml', environment: {}, assignments: [], tasks: [] });
  return configuration!;
}

const onLog = configured('kind: log');
const onKafka = (namePrefix: string) => configured(`kind: kafka, brokers: ["b:9092"], namePrefix: "${namePrefix}"`);

test('a topic is what it is here, or what it is on the brokers', () => {
  for (const prefix of ['', 'shop.', 'text.', 'features', 'text.events']) {
    for (const topic of allTopics) for (const text of [topic, prefix + topic]) expect(ownTopic(onKafka(prefix), parsedTopic(allTopics)(text), allTopics)).toBe(topic);
  }
  for (const topic of allTopics) expect(ownTopic(onLog, topic, allTopics)).toBe(topic);
});

test('the name of another installation is refused, with those that are meant', () => {
  const refusal = (configuration: Configuration, text: string): unknown => {
    try {
      return ownTopic(configuration, parsedTopic(eventTopics)(text), eventTopics);
    } catch (error) {
      return error;
    }
  };
  expect(refusal(onKafka('shop.'), 'other.text.events')).toMatchObject({ code: 'LS_CLI_USAGE', message: '"other.text.events" is no topic of this configuration; write text.events, or shop.text.events' });
  expect(refusal(onLog, 'shop.text.events')).toMatchObject({ code: 'LS_CLI_USAGE', message: '"shop.text.events" is no topic of this configuration; write text.events' });
  expect(refusal(onKafka('shop.'), 'shop.labels')).toBeInstanceOf(InvalidArgumentError);
});

test('what a topic is called is compared with and without the prefix', () => {
  const names = ['text.events', 'shop.text.events', 'shop.', 'events', 'xtext.events'];
  expect(names.filter((text) => isTopicNamed(onKafka('shop.'), text, 'text.events'))).toEqual(['text.events', 'shop.text.events']);
  expect(names.filter((text) => isTopicNamed(onLog, text, 'text.events'))).toEqual(['text.events']);
});
