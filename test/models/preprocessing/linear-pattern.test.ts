import { describe, expect, test } from 'vitest';
import { isLinearPattern, patternSources } from '../../../src/models/preprocessing/linear-pattern.ts';

describe('a pattern', () => {
  test.each(['\\s+', ' {2,}', '[\\r\\n\\t]', '\\n', 'a', '[^\\w\\s]+', '\\p{Script}', '\\p{L}*', '``|\'\'', '\\.', '.', ' ?', 'ab{3}|[0-9]+', '\\[', '[-\\]]', '[\\u4e00-\\u9fff]', '\\u200b', '\\x00', '[^\\x00-\\x7F]+', '^\\s+', '^a|b$', 'a{2,3}$', ' ?$'])('is taken: %s', (source) => {
    expect(isLinearPattern(source)).toBe(true);
  });

  test.each([
    '^(\\w+\\s?)*$', '(a+)+', '(a|a)*', 'a+b', '\\s+$', 'a*a*', '(?:x)', '(?=x)', 'a++', 'a+?b', '\\1', '[a', 'a{1', '', '|', 'a|', '[[:alpha:]]+', '[a&&b]', '\\b', 'a{100}', '.*x', 'a{2,}$', '\\s*$', '^\\s+|\\s+$', 'a^', '^', '$', '$a', '^^a', '\\ud83d', '\\x80', '\\u12', '\\x{1F}', 'a'.repeat(1_001),
  ])('is not taken: %s', (source) => {
    expect(isLinearPattern(source)).toBe(false);
  });

  test('is judged in no time, however it was written', () => {
    for (const part of ['a', '[', '[a', '\\', '(', 'a|', '{1,', '\\p{', '[\\p{L']) expect(isLinearPattern(`${part.repeat(100_000)}!(`)).toBe(false);
    for (const part of ['a', '[a]', 'a|', '\\s', '\\p{L}']) expect(isLinearPattern(`${part.repeat(990 / part.length)}(`)).toBe(false);
  });
});

test('patterns are found however deep they lie', () => {
  let deep: unknown = { type: 'Replace', pattern: { Regex: 'deep' }, content: '' };
  for (let depth = 0; depth < 100_000; depth += 1) deep = { type: 'Sequence', normalizers: [deep] };
  expect(patternSources([null, deep, { type: 'Sequence', pretokenizers: [{ pattern: { String: 'x' } }, { type: 'Split', pattern: { Regex: '\\s' } }] }])).toEqual(['\\s', 'deep']);
});
