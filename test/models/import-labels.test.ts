import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { groupMembers, readLabels } from '../../src/models/import-labels.ts';
import { temporaryDirectory } from './model-directory.ts';

async function labelsOf(text: string): Promise<readonly string[]> {
  const file = join(await temporaryDirectory(), 'labels');
  await writeFile(file, text);
  return readLabels(file);
}

test.each([
  ['lines', 'cat\ndog\r\nbird \n'],
  ['lines behind a byte order mark', '\uFEFFcat\ndog\nbird'],
  ['a list in JSON', '["cat", "dog", "bird"]'],
  ['an object by index in JSON, in any order', '{"2": "bird", "0": "cat", "1": "dog"}'],
  ['a dictionary as Python prints it', "{0: 'cat',\n 1: \"dog\",\n 2: 'bird'}"],
])('reads %s', async (_, text) => {
  expect(await labelsOf(text)).toEqual(['cat', 'dog', 'bird']);
});

test('labels that occur twice get their index', async () => {
  expect(await labelsOf('crane\ndog\ncrane')).toEqual(['crane (0)', 'dog', 'crane (2)']);
});

test.each([
  ['nothing', '', 'no label for class 0'],
  ['an empty line', 'cat\n\ndog', 'no label for class 1'],
  ['a gap in the indices', '{"0": "cat", "2": "dog"}', 'no label for class 1'],
  ['broken JSON', '["cat"', 'look like JSON and are none'],
  ['JSON of numbers', '[1, 2]', 'neither a list of texts'],
])('refuses %s', async (_, text, said) => {
  await expect(labelsOf(text)).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT', message: expect.stringContaining(said) as string });
});

test('refuses a file that is not there', async () => {
  await expect(readLabels('/nowhere/labels.txt')).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT' });
});

test('groups of one label are joined', () => {
  expect(groupMembers([{ label: 'cat', first: 1, last: 2 }, { label: 'dog', first: 4, last: 4 }, { label: 'cat', first: 0, last: 0 }], 5)).toEqual({
    labels: ['cat', 'dog'],
    members: [[1, 2, 0], [4]],
  });
});

test.each([
  [[{ label: 'cat', first: 1, last: 5 }], 'goes to class 5'],
  [[{ label: 'cat', first: 0, last: 2 }, { label: 'dog', first: 2, last: 3 }], 'the class 2 is in the groups cat and dog'],
])('refuses groups beyond the classes, and groups that meet', (groups, said) => {
  expect(() => groupMembers(groups, 5)).toThrow(said);
});
