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
    summary: 'What a file holds cannot be taken: a line is broken, it is too large, or its event would be refused.',
    remedy: 'Correct the line or file named. A file is published again as a whole: an event with the same id replaces the one before.',
  },
  LS_CLI_FILE: {
    cause: 'input',
    retryable: false,
    summary: 'A file or folder that is named cannot be read.',
    remedy: 'Check path and permissions.',
  },
  LS_CLI_FILE_UNWRITABLE: {
    cause: 'environment',
    retryable: false,
    summary: 'A file that the command was to write could not be written.',
    remedy: 'Check path, permissions and free space. What the command does besides was done.',
  },
  LS_CLI_FILE_KIND: {
    cause: 'input',
    retryable: false,
    summary: 'A file to be published is of a kind that the command makes no event of.',
    remedy: '`publish text` and `publish records` take .csv, .jsonl, .ndjson and .txt; `publish images` takes JPEG, PNG and WebP, `publish sounds` WAV, MP3, FLAC and Ogg, both also folders.',
  },
  LS_CLI_COLUMN: {
    cause: 'input',
    retryable: false,
    summary: 'A row has nothing of use in a column: no text where text is read, no number where a record needs one.',
    remedy: 'Say which columns to read with --text-column, --id-column and --attribute-column, and --no-header where the first line is data already.',
  },
  LS_CLI_IMPORT_FILE: {
    cause: 'input',
    retryable: false,
    summary: 'A file of clusters is damaged, too large, or does not hold what `clusters import` takes. Nothing was imported.',
    remedy: 'Write the file as docs/importing-clusters.md says, for example by the script there; arrays of Python objects are not read, because reading them runs what is in them.',
  },
  LS_CLI_IMPORT_PARAMETERS: {
    cause: 'input',
    retryable: false,
    summary: 'A file of clusters was made with other parameters, or another model, than the collection has. Nothing was imported.',
    remedy: 'Give the collection the parameters of the file (eps, minPoints, metric, by a definition of a higher version), or say --allow-other-parameters: its clusters will be other ones then. Of another model nothing helps but vectors that the model of the collection gives.',
  },
  LS_CLI_NOT_FOUND: {
    cause: 'input',
    retryable: false,
    summary: 'There is nothing of that name.',
    remedy: 'Check the name. `labelstream clusters list` tells the clusters and collections that there are, `labelstream dlq list` the dead letters.',
  },
  LS_CLI_RANGE_EMPTY: {
    cause: 'input',
    retryable: false,
    summary: 'No record is in the range that was asked for, or none of those in it is selected.',
    remedy: 'See what there is with `labelstream lag` (ends) and `labelstream tail TOPIC --from-start` (sequences and append times), of dead letters with `labelstream dlq list`, and widen the range or the filters.',
  },
  LS_CLI_NOT_REDRIVABLE: {
    cause: 'input',
    retryable: false,
    summary: 'None of the selected dead letters can be redriven: what they hold is no input, and none leads to one that is kept.',
    remedy: 'Publish the input again; a control record comes from a command or the configuration, which can be given again.',
  },
  LS_CLI_TASK_FAILED: {
    cause: 'input',
    retryable: false,
    summary: 'A task could not answer some of the files that it was given; the others are answered.',
    remedy: 'Each of them is told above with a code of its own: follow that.',
  },
  LS_CLI_MODEL_UNFIT: {
    cause: 'environment',
    retryable: false,
    summary: 'A model failed a check of `models verify`.',
    remedy: 'See the first check that failed. `manifest`, `files`: name the directory of the model, or fetch its files again. `load`, `known-answers`: make the model again. `batch-invariance`: give it the batch size 1 alone, or mark it reproducible: false and know what that means.',
  },
} as const satisfies ErrorArea;

export const cliError = errorFactory(cliErrors);
