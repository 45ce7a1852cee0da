// What a person is told of a failure.
import { expect, test } from 'vitest';
import { failureText } from '../../src/cli/failure.ts';
import { cliError } from '../../src/core/errors/cli.ts';

test('what is to be done is said once, and what is to be done about its cause after it', () => {
  const cause = cliError('LS_CLI_IMPORT_FILE', 'it is no JSON');
  const [first, ...remedies] = failureText(cliError('LS_CLI_IMPORT_FILE', 'books.json: it is no JSON', {}, { cause })).split('\n');
  expect(first).toBe('labelstream: books.json: it is no JSON [LS_CLI_IMPORT_FILE]');
  expect(remedies).toEqual([`  ${cause.description.remedy}`]);
  const other = cliError('LS_CLI_FILE', 'books.json cannot be read', {}, { cause });
  expect(failureText(other).split('\n').slice(1)).toEqual([`  ${other.description.remedy}`, `  ${cause.description.remedy}`]);
});
