import type { Command } from 'commander';
import type { CommandLine } from '../context.ts';

export function addDemoCommand(program: Command, commandLine: CommandLine): void {
  program.command('demo').action(() => void commandLine);
}
