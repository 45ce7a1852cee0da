import { expect, test } from 'vitest';
import { tableText } from '../../src/cli/output.ts';

const head = ['ID', 'SAMPLES'];
const rows = [['3f2a9c1e5b7d8042', 'a text that goes on and on, well beyond the end of the line'], ['b', 'short']];

test('a table for a terminal is as wide as the terminal, one line per row', () => {
  const lines = tableText(head, rows, 40).split('\n');
  expect(lines).toEqual(['ID                SAMPLES', '3f2a9c1e5b7d8042  a text that goes on a…', 'b                 short']);
  expect(Math.max(...lines.map(({ length }) => length))).toBe(40);
});

test('a terminal that is too narrow still shows the beginning of the last column', () => {
  expect(tableText(head, rows, 10)).toContain('3f2a9c1e5b7d8042  a text that…');
});

test('a table for a file is not cut', () => {
  expect(tableText(head, rows)).toContain('well beyond the end of the line');
});
