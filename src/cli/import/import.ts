/** `clusters import`: clusters that were made elsewhere become items of a live collection, and their labels names of its clusters. */
import type { Command } from 'commander';
import { withConfigurationOptions, type CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import type { ImportOptions } from './import-clusters.ts';

export function addClustersImportCommand(clusters: Command, commandLine: CommandLine): void {
  const importing = withConfigurationOptions(clusters.command('import'))
    .argument('<file>', 'a file of clusters: .npz, or .json')
    .requiredOption('--collection <name>', 'the collection that they go to')
    .option('--family <template>', 'the template of the collection, where none of its items has opened it yet, or several have one of that name')
    .option('--source <name>', 'what the ids of items begin with (source/id); an item that is there is replaced', 'import')
    .option('--allow-other-parameters', 'also where eps, minPoints, metric or projection of the collection are not those of the file: its clusters will be other ones')
    .summary('take in clusters that were made elsewhere')
    .description(
      'take the items of clusters that were made elsewhere, such as by scikit-learn, into a live collection, with their vectors, and name the clusters that hold them there. Vectors have to come from the ' +
        'model of the collection, whose definition `labelstream run` puts into the log at its start. The same file imported again changes nothing. docs/importing-clusters.md says how a file is made',
    )
    .option('--json', 'one JSON object per imported cluster')
    .action(async (file: string, options: ImportOptions) => {
      const { importClusters } = await import('./import-clusters.ts');
      await importClusters(file, options, commandLine);
    });
  withExamples(importing, 'labelstream clusters import books.npz --collection images -c examples/pets.yaml', 'labelstream clusters import books.json --collection pets --source books -c examples/pets.yaml');
}
