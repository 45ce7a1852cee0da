/** `task`: any task by hand, through the inference service that the stream uses: the same queues, workers, checks of the model, and results. */
import { Argument, type Command } from 'commander';
import { tasks as ownTasks } from '../../tasks/registry.ts';
import { collected } from '../collect.ts';
import type { CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import { withModelConfiguration, withPlugins } from '../model-options.ts';
import type { TaskOptions } from './run-task.ts';

export function addTaskCommand(program: Command, commandLine: CommandLine): void {
  const command = withPlugins(withModelConfiguration(program.command('task')))
    // One of a plugin is known later: what is no choice is looked for then.
    .addArgument(new Argument('<task>', 'the task, or one of a plugin').choices([...ownTasks.keys()]).argParser((name) => name))
    .argument('<file...>', 'images, sounds or texts; of record-prediction CSV, JSON or JSON lines; `-` is standard input')
    .summary('run a task on files')
    .description(
      'run a task on files, by the very models, workers and checks that the stream uses, and print the answers in the order of the files. What a file is, its bytes tell. ' +
        'A file that cannot be answered fails alone: the others are answered, and the exit code is 1. Neither a log nor, with --model DIRECTORY, a configuration is needed',
    )
    .option('--model <name-or-directory>', 'a model of the configuration, or a directory with a manifest.json; without it, the only model of the configuration that is made for the task')
    .option('--text <text>', 'what the answer begins with (conditional-image-captioning)')
    .option('--class <name>', 'what is to be told apart or found; may be repeated', collected, [])
    .option('--task-config <name=value>', 'what the task is asked for, such as num_beams=4, or a JSON object; may be repeated', collected, [])
    .option('--lines', 'each line of a text file is a text of its own')
    .option('--attribute-column <name>', 'column of a record that is no value; may be repeated', collected, [])
    .option('--json', 'one JSON object per answer; results as in the topic labels')
    .action(async (name: string, files: readonly string[], options: TaskOptions) => {
      const { answerFiles } = await import('./run-task.ts');
      await answerFiles(name, files, options, commandLine);
    });
  withExamples(
    command,
    'labelstream task text-classification article.txt --model models/topic-classifier',
    'labelstream task image-features photo.jpg drawing.png -c examples/pets.yaml --json',
    'labelstream task zero-shot-image-classification photo.jpg --model models/clip --class cat --class dog',
    'labelstream task record-prediction notes.csv --attribute-column class --model models/banknote-classifier',
  );
}
