/** `serve`: the models of a configuration by HTTP, without the stream. */
import { InvalidArgumentError, type Command } from 'commander';
import { withConfigurationOptions, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import type { ServeOptions } from './serve-models.ts';

export function addServeCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('serve'))
    .summary('answer requests by HTTP, without events')
    .description(
      'load the models of a configuration and answer requests by HTTP until SIGINT or SIGTERM, without reading or writing a log. `run` answers the same requests beside the stream. What the options say may ' +
        'also stand in the environment, and in a file .env in the working directory: HOST, PORT, LOG_LEVEL, DEFAULT_TASK, DEFAULT_MODEL_TASK (such as DEFAULT_MODEL_IMAGE_CAPTIONING), DEFAULT_CONSUMER_TYPE; and without options KEY (an API key with the scope predict) and DEBUG (true: log.level debug). ' +
        'An option wins over the environment, the environment over that file, that file over the configuration',
    )
    .option('--host <address>', 'the address to listen on (server.host)')
    .option('--port <port>', 'the port to listen on (server.port)')
    .option('--log-level <level>', 'least severe messages that are written (log.level)')
    .option('--default-task <task>', 'the task of a request that names none (server.defaults.task)')
    .option('--default-model <task=model>', 'the model of a request for a task that names none (server.defaults.models); may be repeated', defaultModelOption, {})
    .option('--default-consumer-type <consumer>', 'how items are put together for models that do not say it (inference.consumer)')
    .action(async (options: ServeOptions) => {
      const { serveModels } = await import('./serve-models.ts');
      await serveModels(options, commandLine);
    });
  withExamples(command, 'labelstream serve -c examples/news.yaml', 'labelstream serve -c examples/pets.yaml --port 8080 --default-model image-features=pets');
}

function defaultModelOption(value: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = value.indexOf('=');
  if (equals < 1 || equals === value.length - 1) throw new InvalidArgumentError('It is TASK=MODEL, such as image-captioning=captions.');
  return { ...before, [value.slice(0, equals)]: value.slice(equals + 1) };
}
