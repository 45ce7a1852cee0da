import type { ErrorArea } from './error.ts';

/** Codes of the mistakes that `validate` and every start-up report. */
export const configErrors = {
  LS_CONFIG_FILE: {
    cause: 'configuration',
    retryable: false,
    summary: 'The configuration file cannot be read.',
    remedy: 'Check the path given with -c and the permissions of the file.',
  },
  LS_CONFIG_SYNTAX: {
    cause: 'configuration',
    retryable: false,
    summary: 'The configuration file is not valid YAML.',
    remedy: 'Correct the line named.',
  },
  LS_CONFIG_VARIABLE_UNSET: {
    cause: 'configuration',
    retryable: false,
    summary: 'The configuration names an environment variable that is not set.',
    remedy: 'Set the variable, or give a default: ${NAME:-default}.',
  },
  LS_CONFIG_KEY_UNKNOWN: {
    cause: 'configuration',
    retryable: false,
    summary: 'There is no setting of this name.',
    remedy: 'Correct or remove the key; docs/configuration.md lists all of them.',
  },
  LS_CONFIG_VALUE: {
    cause: 'configuration',
    retryable: false,
    summary: 'The value of a setting is not allowed.',
    remedy: 'Give a value of the kind named in the message.',
  },
  LS_CONFIG_COMBINATION: {
    cause: 'configuration',
    retryable: false,
    summary: 'Settings that are valid alone contradict each other.',
    remedy: 'Follow the message: it names both settings.',
  },
} as const satisfies ErrorArea;

export type ConfigErrorCode = keyof typeof configErrors;
