/** The options that every kind of event has. */
import type { Command } from 'commander';
import { cliError } from '../../core/errors/cli.ts';
import { identifierMistake } from '../../core/ids.ts';
import { collected } from '../collect.ts';
import { withConfigurationOptions, type ConfigurationOptions } from '../context.ts';

export type EventOptions = {
  readonly source: string;
  readonly collection: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
};

/** As commander gives them. */
export type EventCommandOptions = ConfigurationOptions & {
  readonly source: string;
  readonly collection?: string;
  readonly attribute: readonly string[];
  readonly json?: boolean;
};

export function withEventOptions(command: Command): Command {
  return withConfigurationOptions(command)
    .option('--source <name>', 'source of the events', 'publish')
    .option('--collection <name>', 'what ${collection} is in collection templates')
    .option('--attribute <name=value>', 'attribute of every event; may be repeated', collected, [])
    .option('--json', 'the result as one JSON object');
}

/** Throws LS_CLI_USAGE. */
export function eventOptionsOf({ source, collection, attribute }: EventCommandOptions): EventOptions {
  const attributes = attribute.map((text) => {
    const equals = text.indexOf('=');
    if (equals < 1) throw cliError('LS_CLI_USAGE', `--attribute ${text} is not of the form name=value`);
    return [text.slice(0, equals), text.slice(equals + 1)] as const;
  });
  const mistake = identifierMistake({ source, id: '-' });
  if (mistake !== undefined) throw cliError('LS_CLI_USAGE', `--source ${source}: ${mistake.message}`);
  return { source, collection, attributes: Object.fromEntries(attributes) };
}
