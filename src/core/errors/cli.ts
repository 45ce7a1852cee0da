import { errorFactory, type ErrorArea } from './error.ts';

export const cliErrors = {
  LS_CLI_USAGE: {
    cause: 'configuration',
    retryable: false,
    summary: 'The command line asks for something that cannot be done.',
    remedy: 'See `labelstream COMMAND --help`.',
  },
  LS_CLI_INPUT: {
    cause: 'input',
    retryable: false,
    summary: 'A file to be published cannot be read as texts or records.',
    remedy: 'Correct the line named, or the options that say which columns to read.',
  },
  LS_CLI_NOT_FOUND: {
    cause: 'input',
    retryable: false,
    summary: 'There is nothing of that name.',
    remedy: 'List what is there, for example with `labelstream clusters list`.',
  },
  LS_CLI_MODEL_UNFIT: {
    cause: 'environment',
    retryable: false,
    summary: 'A model failed a check of `models verify`.',
    remedy: 'See the checks that failed: fetch the files again, or mark the model reproducible: false and know what that means.',
  },
} as const satisfies ErrorArea;

export const cliError = errorFactory(cliErrors);
