// Texts of a megabyte in the stream: what fits is cut as the model cuts, what does not fails alone, and short ones between them are not kept waiting.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import type { TextEvent } from '../../src/core/events.generated.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { textLengthMax } from '../../src/tasks/text-input.ts';
import { withLog } from '../cli/fixtures.ts';
import { readLog } from '../crash/log-contents.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

const words = 'the second payment was taken twice from my account ';
const million = words.repeat(Math.ceil(1_000_000 / words.length)).slice(0, 1_000_000);
/** The longest text that is taken. */
const longest = million.slice(0, textLengthMax);

test('a megabyte of words, of one word, and of nothing', { timeout: 600_000 }, async () => {
  await withDirectory(async (directory) => {
    const imported = await runProgram('models', 'import', join(import.meta.dirname, '../models/tiny/bert'), '--to', join(directory, 'bert'), '--licence', 'Apache-2.0');
    expect(imported.code, imported.stderr).toBe(0);
    const file = await writeConfiguration(directory, `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models:
  subwords: { directory: MODELS/static-text-encoder }
  tokens: { directory: bert }
collections:
  - { name: subwords, eps: 0.05, minPoints: 3 }
  - { name: tokens, eps: 0.05, minPoints: 3 }
routes:
  - name: texts
    from: text
    steps:
      - { name: subwords, task: text-features, model: subwords, collection: subwords }
      - { name: tokens, task: text-features, model: tokens, collection: tokens }
`);
    const texts: Readonly<Record<string, string>> = {
      before: words, million, longest, cut: longest.slice(0, 20_000), 'one word': 'x'.repeat(textLengthMax), blank: ' '.repeat(1_000_000), after: words,
    };
    const codec = await openCodec();
    const events = Object.entries(texts).map(([id, text]): TextEvent => ({ id, source: 's', occurredAt: 0, text, language: null, tasks: [], collection: null, attributes: {}, deleted: false }));
    await withLog(file, ({ transport }) => transport.append(events.map((event) => ({ topic: topics.text, partition: 0, key: Buffer.from(event.id), value: codec.encode('TextEvent', event), headers: noHeaders }))));
    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(0);
    const { records } = await readLog(join(directory, 'data'), [topics.features, topics.deadLetters]);
    const vectors = new Map<string, string>();
    for (const { value } of (records.get(topics.features) ?? []).flat()) {
      const decoded = codec.decode(value);
      if (decoded.schema === 'FeatureEvent') vectors.set(`${decoded.event.itemId} ${decoded.event.routeStep}`, decoded.event.vector.toString('hex'));
    }
    const letters = (records.get(topics.deadLetters) ?? []).flat().map(({ key, headers }) => [key, headers.get(headerNames.errorCode), headers.get(headerNames.errorRouteSteps)].map(String).join(' '));
    const both = (item: string, ...what: readonly string[]): string[] => ['subwords', 'tokens'].map((step) => [item, ...what, `texts/${step}`].join(' '));
    expect(letters.sort()).toEqual([...both('blank', 'LS_TASK_INPUT'), ...both('million', 'LS_TASK_INPUT')]);
    expect([...vectors.keys()].sort()).toEqual(['s/after', 's/before', 's/cut', 's/longest', 's/one word'].flatMap((item) => both(item)));
    expect(vectors.get('s/before texts/tokens')).toBe(vectors.get('s/after texts/tokens'));
    expect(vectors.get('s/longest texts/tokens')).toBe(vectors.get('s/cut texts/tokens'));
    expect(vectors.get('s/longest texts/subwords')).toBe(vectors.get('s/cut texts/subwords'));
  });
});
