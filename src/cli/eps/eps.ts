/** `clusters eps`: what each eps would make of a collection, from its live vectors. Nothing is changed by it. */
import { InvalidArgumentError, type Command } from 'commander';
import { withAccess, withConfigurationOptions, type CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import { wholeNumber } from '../whole-number.ts';
import type { EpsOptions } from './tell-eps.ts';

const sampleDefault = 10_000;

export function addClustersEpsCommand(clusters: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(clusters.command('eps'))
    .summary('say what each eps would make of a collection')
    .description(
      'say what each eps would make of a collection, and suggest one: the k-distance curve with its knee, and for many values of eps how many clusters there would be, how much noise, ' +
        'how large the largest, and how many neighbours an item would have, exactly, for the items looked at. Changes nothing: eps is set in the configuration, under a higher version of the collection',
    )
    .requiredOption('--collection <name>', 'of this collection, or of each one of the family of this template')
    .option('--sample <items>', 'look at so many items at most, always the same ones', wholeNumber, sampleDefault)
    .option('--min-points <items>', 'with another minPoints than that in use', wholeNumber)
    .option('--projection <sha256>', 'as if the vectors went through this projection, one that `collections fit` made; `none`: through none', projectionOption)
    .option('--json', 'one JSON object')
    .option('--html <file>', 'write a page with plots, which needs nothing else')
    .action(async (options: EpsOptions) => {
      const { tellEps } = await import('./tell-eps.ts');
      await withAccess(options, commandLine, (access) => tellEps(access, options, commandLine));
    });
  withExamples(
    command,
    'labelstream clusters eps --collection news -c examples/news.yaml',
    'labelstream clusters eps --collection news --html eps.html -c examples/news.yaml',
  );
}

function projectionOption(value: string): string {
  if (value !== 'none' && !/^[0-9a-f]{64}$/.test(value)) throw new InvalidArgumentError('It is a SHA-256 in lower-case hexadecimal, or none.');
  return value;
}
