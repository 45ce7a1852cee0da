/** What is wrong with a file of clusters. */
import { cliError } from '../../core/errors/cli.ts';

/** The file is named by whoever opened it. */
export function importFileError(what: string, cause?: unknown): Error {
  return cliError('LS_CLI_IMPORT_FILE', what, {}, { cause });
}
