import { expect, test } from 'vitest';
import { jsonLine } from '../../src/server/json-line.ts';

test('JSON is one line, however a reader ends lines, and stays equal', () => {
  const value = { text: 'a\u0085b\u2028c\u2029d\ne é 😀' };
  const line = jsonLine(value);
  expect(JSON.parse(line)).toEqual(value);
  expect(line).not.toMatch(/[\n\u0085\u2028\u2029]/);
  expect(line).toContain('é 😀');
});
