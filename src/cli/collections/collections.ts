/** `collections`: what may be done for collections beside a live `run`. */
import type { Command } from 'commander';
import { projectionKinds } from '../../clustering/projection/kinds.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import { wholeNumber } from '../whole-number.ts';
import type { FitOptions } from './fit.ts';

const sampleDefault = 20_000;
const componentsDefault = 64;

export function addCollectionsCommand(program: Command, commandLine: CommandLine): void {
  const collections = program.command('collections').summary('fit projections').description('fit projections to what collections hold');
  withExamples(collections, 'labelstream collections fit --collection news -c examples/news.yaml');
  const fitting = withConfigurationOptions(collections.command('fit'))
    .summary('fit a projection to a collection')
    .description(
      'fit a projection to the vectors that a collection holds now, and keep it in the state store under its SHA-256. Changes no collection: the projection acts once the configuration names it, ' +
        'under a higher version of the collection and with an eps of its own (`clusters eps --projection`)',
    )
    .requiredOption('--collection <name>', 'a collection, or the template of a family of them')
    .option('--sample <items>', 'fit it to so many items at most, always the same ones', wholeNumber, sampleDefault)
    .option('--kind <kind>', `of projection: ${projectionKinds.join(', ')}`, 'whiten')
    .option('--components <dimensions>', 'dimensions that are kept', wholeNumber, componentsDefault)
    .option('--json', 'one JSON object')
    .action(async (options: FitOptions) => {
      const { fitProjection } = await import('./fit.ts');
      await withAccess(options, commandLine, (access) => fitProjection(access, options, outputOf(commandLine, options.json), commandLine.signal));
    });
  withExamples(
    fitting,
    'labelstream collections fit --collection news -c examples/news.yaml',
    'labelstream collections fit --collection news --sample 5000 --components 32 -c examples/news.yaml',
  );
}
