// Nothing that a stranger sends reaches a terminal as something that it would obey.
import { stripVTControlCharacters } from 'node:util';
import { expect, test, vi } from 'vitest';
import { createLogger } from '../../src/cli/logger.ts';
import { jsonText, tableText } from '../../src/cli/output.ts';
import { printableJson, printableLine, printableLines } from '../../src/cli/printable.ts';
import { createRandom } from '../clustering/random.ts';
import { jsonLines, runProgram, withDirectory, writeConfiguration, type Finished } from '../service/program.ts';
import { succeed, textsConfiguration, writeEncoder, writeInput } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

/** What terminals obey or hide, but for the line breaks of the program's own. */
const harmful = /(?!\n)[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;
const evil = 'ESC\u001b[2J\u001b]0;owned\u0007 CSI\u009b2J DEL\u007f CR\r RLO\u202e BOM\ufeff TAG\u{e0041} NEL\u0085 \u2028';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 13);

test('what a terminal would obey is shown instead; what people write with stays', () => {
  expect(printableLine(evil)).toBe(
    'ESC\\u{1b}[2J\\u{1b}]0;owned\\u{7} CSI\\u{9b}2J DEL\\u{7f} CR\\u{d} RLO\\u{202e} BOM\\u{feff} TAG\\u{e0041} NEL\\u{85} \\u{2028}',
  );
  const harmless = 'Grüße, 東京, می‌خواهم, 👩‍🚀, e\u0301, a\\u{1b}b';
  expect(printableLine(harmless)).toBe(harmless);
  expect(printableLine('a\nb\tc')).toBe('a\\u{a}b\\u{9}c');
  expect(printableLines('a\r\nb')).toBe('a\\u{d}\nb');
});

test(`any text is harmless as a line, as a table and as JSON, which stays equal (seed ${seed})`, () => {
  const random = createRandom(seed);
  const ranges = [0x100, 0x3000, 0x1_0000, 0x11_0000];
  for (let round = 0; round < 300; round++) {
    const text = Array.from({ length: 20 }, () => String.fromCodePoint(random.below(random.pick(ranges)))).join('');
    expect(printableLine(text)).not.toMatch(/\n/);
    expect(printableLine(printableLine(text))).toBe(printableLine(text));
    expect(tableText(['ID', 'TEXT'], [[text, text]]).split('\n')).toHaveLength(2);
    for (const said of [printableLine(text), printableLines(text), tableText(['ID', 'TEXT'], [[text, text]], 80), jsonText({ [text]: text })]) {
      expect(said).not.toMatch(harmful);
    }
    expect(JSON.parse(jsonText({ [text]: text }))).toEqual({ [text]: text });
  }
  expect(printableJson('{\n  "a": "\u{e0041}"\n}')).toBe('{\n  "a": "\\udb40\\udc41"\n}');
});

test('log messages for a person are harmless', async () => {
  let written = '';
  const logger = await createLogger('info', { stderr: { isTTY: true, write: (text) => (written += text) } });
  logger.error({ itemId: evil, error: evil, err: new Error(evil), deep: { [evil]: [evil] } }, evil);
  const uncoloured = stripVTControlCharacters(written);
  expect(uncoloured).not.toMatch(harmful);
  expect(uncoloured).toMatch(/ERROR: ESC\[2J.* CSI\\u\{9b\}2J .*RLO\\u\{202e\}/);
  expect(uncoloured).toMatch(/itemId: "ESC\\u001b\[2J.* CSI\\u\{9b\}2J /);
});

test('ids, texts and names of strangers are harmless in whatever a command shows', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    const texts = { [`${evil}1`]: 'river', [`${evil}2`]: 'river', [`${evil}3`]: 'river', [`${evil}\nstate     resolved`]: ' ', [`${evil}4`]: evil };
    const rows = Object.entries(texts).map(([id, text]) => jsonText({ id, text }));
    await succeed('publish', 'text', await writeInput(directory, 't.jsonl', rows), '--id-column', 'id', '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    const shown: Finished[] = [];
    const show = async (...parameters: readonly string[]): Promise<string> => {
      shown.push(await succeed(...parameters, '-c', file));
      return shown.at(-1)?.stdout ?? '';
    };
    const [cluster = ''] = /[0-9a-f]{16}/.exec(await show('clusters', 'list')) ?? [];
    await show('clusters', 'label', cluster, `${evil}\nname`);
    await succeed('run', '-c', file, '--until-idle');
    expect(await show('clusters', 'list')).toContain('\\u{1b}[2J');
    expect(await show('clusters', 'show', cluster)).toContain('\\u{1b}[2J');
    expect(await show('clusters', 'show', `publish/${evil}1`)).toContain('\\u{1b}[2J');
    await show('clusters', 'list', '--json');
    expect(await show('dlq', 'list')).toContain('\\u{1b}[2J');
    const [known] = jsonLines(await show('dlq', 'list', '--json'));
    const letter = await show('dlq', 'show', String(known?.['id']));
    expect(letter).toContain('\\u{1b}[2J');
    expect(letter.match(/^state /gm)).toHaveLength(1);
    await show('dlq', 'redrive', '--all', '--dry-run');
    for (const topic of ['text.events', 'features', 'labels', 'cluster-events', 'dead-letters']) {
      for (const json of [[], ['--json']]) expect(await show('tail', topic, '--from-start', '--until-end', ...json)).toMatch(/\\u\{1b\}|\\u001b/);
    }
    shown.push(await runProgram('clusters', 'show', evil, '-c', file));
    shown.push(await runProgram(evil));
    for (const { stdout, stderr } of shown) {
      expect(stdout).not.toMatch(harmful);
      expect(stderr).not.toMatch(harmful);
    }
  });
});
