/** `completion`: a script for a shell, rendered from the commands as they are declared, that completes commands, options and their values. */
import { Argument, type Command } from 'commander';
import { completionScripts, type CompletionNode } from './completion-scripts.ts';
import { outputOf, type CommandLine } from './context.ts';
import { pathOf, withExamples } from './help.ts';

type Shell = keyof typeof completionScripts;

export function addCompletionCommand(program: Command, commandLine: CommandLine): void {
  const shells = Object.keys(completionScripts) as readonly Shell[];
  const command = program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .summary('print a completion script for a shell')
    .description(
      'print a script that completes commands, options, topics and file names. bash: source <(labelstream completion bash), for example in ~/.bashrc. ' +
        'zsh: source <(labelstream completion zsh) in ~/.zshrc, after compinit. fish: labelstream completion fish | source in ~/.config/fish/config.fish',
    )
    .action((shell: Shell) => {
      outputOf(commandLine, false).lines(completionScripts[shell](completionNodes(program)));
    });
  withExamples(command, 'labelstream completion bash', 'labelstream completion zsh', 'labelstream completion fish');
}

/** The program and every command below it. */
export function completionNodes(command: Command): readonly CompletionNode[] {
  const help = command.createHelp();
  const node: CompletionNode = {
    path: pathOf(command).slice(1),
    commands: help.visibleCommands(command).map((child) => ({ name: child.name(), description: help.subcommandDescription(child) })),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined),
      description: option.description,
      value: option.required || option.optional ? valueOf(option.argChoices, option.flags) : undefined,
    })),
    argument: command.registeredArguments.length === 0 ? undefined : valueOf(command.registeredArguments[0]?.argChoices, command.registeredArguments[0]?.name() ?? ''),
  };
  return [node, ...command.commands.flatMap((child) => completionNodes(child))];
}

/** What stands for a value says what it is: files are told from names by their placeholder. */
function valueOf(choices: readonly string[] | undefined, placeholder: string): NonNullable<CompletionNode['argument']> {
  if (choices !== undefined) return { kind: 'choices', choices };
  return { kind: /\b(file|path|directory)\b/.test(placeholder) ? 'files' : 'other' };
}
