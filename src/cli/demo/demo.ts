/** `demo`: several hundred texts, records and images through the whole pipeline, then a summary of what came out. */
import type { Command } from 'commander';
import { outputOf, type CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';

export function addDemoCommand(program: Command, commandLine: CommandLine): void {
  const command = program
    .command('demo')
    .summary('see the whole pipeline at work')
    .description('run several hundred generated events through the whole pipeline, in a temporary directory, and tell what came out: clusters, labels and dead letters')
    .option('--brokers <list>', 'over Kafka (host:port,host:port) instead of the embedded log; its topics get names of their own, and stay')
    .option('--json', 'the summary as one JSON object')
    .action(async ({ json, brokers }: { readonly json?: boolean; readonly brokers?: string }) => {
      const { tellDemo } = await import('./run-demo.ts');
      await tellDemo(outputOf(commandLine, json), commandLine, brokers);
    });
  withExamples(command, 'labelstream demo', 'labelstream demo --json', 'labelstream demo --brokers 127.0.0.1:9092');
}
