import { errorFactory, type ErrorArea } from './error.ts';

export const taskErrors = {
  LS_TASK_UNKNOWN: {
    cause: 'configuration',
    retryable: false,
    summary: 'A route names a task that this program does not have.',
    remedy: 'Use one of the tasks that the message lists.',
  },
  LS_TASK_INPUT: {
    cause: 'input',
    retryable: false,
    summary: 'An event holds nothing that the task can work on: an empty or too long text, a value that is no finite number, another kind of event.',
    remedy: 'Correct the event at its producer; the message names the field.',
  },
  LS_TASK_CONFIG: {
    cause: 'input',
    retryable: false,
    summary: 'The config of a task says what the task does not know, or a value that is out of its range.',
    remedy: 'Correct the config as the message says; the reference of the tasks lists what each takes.',
  },
  LS_TASK_OUTPUT: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model gives another kind of result than its task needs, or another number of scores than it has labels.',
    remedy: 'Bind the task to a model whose manifest names this task, and check the model with `labelstream models verify`.',
  },
} as const satisfies ErrorArea;

export const taskError = errorFactory(taskErrors);
