/** `keys`: API keys for the HTTP server. */
import { InvalidArgumentError, type Command } from 'commander';
import { apiScopes, type ApiScope } from '../core/api-scopes.ts';
import { createKey } from '../server/api-keys.ts';
import { outputOf, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { wholeNumber } from './whole-number.ts';

type CreateOptions = { readonly scopes: readonly ApiScope[]; readonly requestsPerMinuteMax?: number; readonly json?: boolean };

export function addKeysCommand(program: Command, commandLine: CommandLine): void {
  const keys = program.command('keys').summary('make API keys').description('make API keys for the HTTP server, of which the configuration holds only hashes');
  withExamples(keys, 'labelstream keys create indexer --scopes read');
  const creating = keys
    .command('create')
    .summary('make an API key')
    .description(
      'make an API key, and say what to put into the configuration for it. The key itself is shown once, and kept nowhere: whoever is to use it has to be given it now. The configuration ' +
        'has its SHA-256, from which it cannot be found',
    )
    .argument('<name>', 'what the key is called in the configuration and in logs', nameArgument)
    .requiredOption('--scopes <scopes>', `what it is for, separated by commas: ${apiScopes.join(', ')}`, scopesOption)
    .option('--requests-per-minute-max <count>', 'requests that are answered in a minute', wholeNumber)
    .option('--json', 'one JSON object')
    .action((name: string, options: CreateOptions) => create(name, options, commandLine));
  withExamples(creating, 'labelstream keys create indexer --scopes read', 'labelstream keys create app --scopes predict,ingest --requests-per-minute-max 600');
}

function create(name: string, { scopes, requestsPerMinuteMax, json }: CreateOptions, commandLine: CommandLine): void {
  const output = outputOf(commandLine, json);
  const { key, sha256 } = createKey();
  if (output.json) {
    output.object({ name, key, sha256, scopes, requestsPerMinuteMax: requestsPerMinuteMax ?? null });
    return;
  }
  output.line(key);
  output.note('for the configuration:');
  output.note('server:');
  output.note('  keys:');
  output.note(`    ${name}:`);
  output.note(`      sha256: ${sha256}`);
  output.note(`      scopes: [${scopes.join(', ')}]`);
  if (requestsPerMinuteMax !== undefined) output.note(`      requestsPerMinuteMax: ${requestsPerMinuteMax}`);
}

function nameArgument(value: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(value)) throw new InvalidArgumentError('A name is 1 to 100 of A-Z a-z 0-9 . _ -');
  return value;
}

function scopesOption(value: string): readonly ApiScope[] {
  const names = value.split(',');
  const isScope = (name: string): name is ApiScope => (apiScopes as readonly string[]).includes(name);
  if (!names.every(isScope)) throw new InvalidArgumentError(`Scopes are ${apiScopes.join(', ')}.`);
  return [...new Set(names)];
}
