/** Options of commands that work with a model, one that a configuration names or a directory. */
import type { Command } from 'commander';
import { collected } from './collect.ts';
import { assignmentOption } from './context.ts';

export type ModelOptions = { readonly config?: string; readonly set: readonly string[]; readonly plugin?: readonly string[] };

export function withModelConfiguration(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (YAML) that names models; its log is not opened')
    .option('--set <path=value>', 'override a setting of it; may be repeated', assignmentOption, [] as readonly string[]);
}

/** For commands that open models. */
export function withPlugins(command: Command): Command {
  return command.option('--plugin <module>', 'a plugin that runs the model, where no configuration names it: a path, or a package that is installed here; may be repeated', collected);
}
