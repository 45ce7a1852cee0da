/** How a command ends when something is wrong: one message for a person on standard error, and an exit code for a program. */
import { LabelstreamError } from '../core/errors/error.ts';
import { pathText, type ConfigurationMistake } from '../config/mistakes.ts';

export const exitCodes = { success: 0, failure: 1, usage: 2, configuration: 78 } as const;
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'failure: standard error says what it is, with a code of docs/errors.md',
  2: 'the command line asks for something that cannot be done',
  78: 'the configuration has mistakes: standard error lists all of them',
};
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Every mistake of a configuration at once. */
export class ConfigurationMistakes extends Error {
  override readonly name = 'ConfigurationMistakes';
  readonly file: string;
  readonly mistakes: readonly ConfigurationMistake[];
  /** Whether standard output has them already, for a program. */
  readonly told: boolean;

  constructor(file: string, mistakes: readonly ConfigurationMistake[], told = false) {
    super(`${file} has ${mistakes.length} ${mistakes.length === 1 ? 'mistake' : 'mistakes'}`);
    this.file = file;
    this.mistakes = mistakes;
    this.told = told;
  }
}

/**
 * Exit code 1, whatever the cause says that it carries: what ended a service that was running (its configuration was good enough to start), or the
 * files of a model that is to be imported (no configuration names it yet).
 */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

function mistakeLines({ file, mistakes }: ConfigurationMistakes): readonly string[] {
  return mistakes.map(({ line, code, path, message, remedy }) => {
    const place = line === undefined ? file : `${file}:${line}`;
    const setting = path.length === 0 || message.includes(pathText(path)) ? '' : `${pathText(path)}: `;
    return `${place}: ${setting}${message} [${code}]\n  ${remedy}`;
  });
}

export function failureText(error: unknown): string {
  if (error instanceof ConfigurationMistakes) return [`labelstream: ${error.message}`, ...(error.told ? [] : mistakeLines(error))].join('\n');
  if (error instanceof LabelstreamError) return [`labelstream: ${error.message} [${error.code}]`, ...new Set(remedies(error))].join('\n');
  if (error instanceof CommandFailure) return failureText(error.cause);
  if (isInterruption(error)) return 'labelstream: interrupted';
  return `labelstream: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** Of the failure, then of what caused it, which may have the same. */
function remedies({ description, cause }: LabelstreamError): readonly string[] {
  return [`  ${description.remedy}`, ...(cause instanceof LabelstreamError ? remedies(cause) : [])];
}

/** What ended a service that was running: the exit code is 78 where it would end at the same place again, and 1 otherwise. */
export function serviceFailure(failure: Error): Error {
  if (failure instanceof LabelstreamError && failure.code === 'LS_KAFKA_AUTHORIZATION') return failure;
  return new CommandFailure('the service failed', { cause: failure });
}

/** What work throws that was told by a signal to stop. */
export function isInterruption(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigurationMistakes) return exitCodes.configuration;
  if (!(error instanceof LabelstreamError)) return exitCodes.failure;
  if (error.code === 'LS_CLI_USAGE') return exitCodes.usage;
  return error.description.cause === 'configuration' ? exitCodes.configuration : exitCodes.failure;
}
