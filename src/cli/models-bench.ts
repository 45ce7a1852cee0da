/** `models bench`: items per second, times and memory of a model on this machine. */
import { InvalidArgumentError, type Command } from 'commander';
import type { BenchCommandOptions } from './bench-model.ts';
import { collected } from './collect.ts';
import type { CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { withModelConfiguration, withPlugins } from './model-options.ts';

export function addModelsBenchCommand(models: Command, commandLine: CommandLine): void {
  const command = withPlugins(withModelConfiguration(models.command('bench')))
    .argument('<model>', 'a directory with a manifest.json, or a name of the configuration')
    .summary('measure how fast a model is here')
    .description(
      'measure a model on this machine: items per second, how long batches take, and the most memory that the process had, for each size of batches in which the model may run, by one worker ' +
        'thread and by as many as the stream would have. Decoding, preprocessing and what comes after the graph are in it; queues and events are not. These are no ratios: on a machine ' +
        'that does something else they are worth nothing',
    )
    .option('--input <file>', 'what to give it (an image, a sound, a text, records); may be repeated. Without it: its known inputs and made-up ones', collected, [])
    .option('--seconds <number>', 'of each measurement, after a warm-up', positive, 3)
    .option('--workers <counts>', 'numbers of worker threads, such as 1,2', counts)
    .option('--batch-sizes <sizes>', 'of those of the manifest, these alone', counts)
    .option('--json', 'one JSON object')
    .action(async (name: string, options: BenchCommandOptions) => {
      const { tellBench } = await import('./bench-model.ts');
      await tellBench(name, options, commandLine);
    });
  withExamples(command, 'labelstream models bench models/topic-classifier', 'labelstream models bench models/visual-encoder --input photo.jpg --workers 1,2 --batch-sizes 8 --json');
}

function counts(value: string): readonly number[] {
  const numbers = value.split(',').map((part) => part.trim());
  if (!numbers.every((part) => /^[1-9]\d{0,3}$/.test(part))) throw new InvalidArgumentError('Write whole numbers from 1, with commas.');
  return numbers.map(Number);
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number <= 3_600)) throw new InvalidArgumentError('It is no number of seconds, up to 3600.');
  return number;
}
