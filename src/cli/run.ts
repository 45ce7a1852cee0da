/** `run`: the service itself. */
import type { Command } from 'commander';
import { withConfigurationOptions, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import type { RunOptions } from './run-service.ts';

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('run'))
    .summary('process events until stopped')
    .description(
      'run the stages EXTRACT and CLUSTER on what is in the input topics and on what arrives, until SIGINT or SIGTERM. What is in flight is then finished and ' +
        'committed. Other commands work beside it on the same data directory. On the embedded log a second `run` on that directory is refused; on Kafka each takes a share of ' +
        'the partitions (on one host each needs a server.port of its own). KEY (an API key with the scope predict), DEBUG (true: log.level debug) and CLUSTER_LABELS_LOCATION (server.skill.labels) are taken from the ' +
        'environment, and from a file .env in the working directory, as custom skills have them; --set wins over them, they win over the configuration',
    )
    .option('--until-idle', 'stop, with exit code 0, once everything that was there at the start is processed')
    .option(
      '--rebuild-from-truncated-log',
      'where a features log has lost its beginning, and no snapshot bridges the gap (LS_STATE_LOG_TRUNCATED), begin anew with the first record kept: items that are only in ' +
        'what is lost are in no cluster any more, clusters get new ids, and consumers are told by `reset` events. Changes nothing where that is not so',
    )
    .option('--dry-run', 'with --rebuild-from-truncated-log: only tell what it would do; also beside a live `run`')
    .action(async (options: RunOptions) => {
      const { runService } = await import('./run-service.ts');
      await runService(options, commandLine);
    });
  withExamples(command, 'labelstream run -c examples/news.yaml --until-idle', 'labelstream run -c examples/news.yaml --set server.port=9000');
}
