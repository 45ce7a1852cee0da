/**
 * Topics as operators name them: as everything here does, or as the brokers and what they answer do, beginning with `transport.namePrefix`. The
 * prefix is known only when the configuration is.
 */
import { InvalidArgumentError } from 'commander';
import type { Configuration } from '../config/load.ts';
import { isTopicNamed, topicPrefixOf } from '../config/topic-names.ts';
import { cliError } from '../core/errors/cli.ts';

type Names = Pick<Configuration, 'transport'>;

/** Parses an option or argument with these choices: one of them, behind whatever prefix. */
export function parsedTopic(topics: readonly string[]): (text: string) => string {
  return (text) => {
    if (topics.some((topic) => text.endsWith(topic))) return text;
    throw new InvalidArgumentError(`Allowed choices are ${topics.join(', ')}.`);
  };
}

/**
 * What was parsed, without the prefix. Throws LS_CLI_USAGE where it begins with another.
 * @param topics none is the end of another.
 */
export function ownTopic({ transport }: Names, text: string, topics: readonly string[]): string {
  const prefix = topicPrefixOf(transport);
  const named = topics.find((topic) => isTopicNamed({ transport }, text, topic));
  if (named !== undefined) return named;
  const meant = topics.find((topic) => text.endsWith(topic)) ?? topics.join(', ');
  throw cliError('LS_CLI_USAGE', `"${text}" is no topic of this configuration; write ${meant}${prefix === '' ? '' : `, or ${prefix}${meant}`}`);
}
