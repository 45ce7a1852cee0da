// Inputs of exactly the size that is accepted, under the limits that a configuration really gets: none stops a stage (SEMANTICS.md, rule 22).
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openAccess, type Access } from '../../src/open-access.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import type { TextEvent } from '../../src/core/events.generated.ts';
import { noHeaders, recordBytes, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { encodeOrigin, headerNames } from '../../src/pipeline/headers.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { readLog } from '../crash/log-contents.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

const configuration = (recordBytesMax: number): string => `
dataDirectory: .
server: { enabled: false }
transport: { kind: log, partitionCount: 1, recordBytesMax: ${recordBytesMax} }
models:
  encoder: { directory: MODELS/static-text-encoder }
routes:
  - { name: texts, from: text, steps: [{ name: all, task: text-features, model: encoder, collection: texts }] }
collections: [{ name: texts, eps: 0.25, minPoints: 3 }]
extract: { holdMsMax: 1 }
`;

type Content = Pick<OutputRecord, 'key' | 'value' | 'headers'>;

/** Each makes a record of exactly so many bytes from a value that is shorter. */
const fillings: Readonly<Record<string, (value: Buffer, bytes: number) => Content>> = {
  'a maximal key': (value, bytes) => {
    const missing = bytes - recordBytes({ key: null, value, headers: noHeaders });
    return { key: Buffer.alloc(missing, 'k'), value, headers: noHeaders };
  },
  'many tiny headers': (value, bytes) => filledByHeaders(value, bytes, (index) => index.toString(36), 0),
  'header names that are not ASCII': (value, bytes) => filledByHeaders(value, bytes, (index) => `${String(index)}${'€'.repeat(80)}`, 0),
  'one long header name that is not ASCII': (value, bytes) => {
    const missing = bytes - recordBytes({ key: null, value, headers: new Map([['', Buffer.alloc(0)]]) });
    return { key: null, value, headers: new Map([['€'.repeat(Math.floor(missing / 3)), Buffer.alloc(missing % 3)]]) };
  },
  'headers that name another origin and reason': (value, bytes) => {
    const own = new Map(Object.values(headerNames).map((name) => [name, Buffer.alloc(0)]));
    return filledByHeaders(value, bytes, (index) => [...own.keys()][index] ?? `x${String(index)}`, 1);
  },
};

/** Headers as long as there is room for another one, and what is missing then in the value of the last. */
function filledByHeaders(value: Buffer, bytes: number, name: (index: number) => string, valueBytes: number): Content {
  const headers = new Map<string, Buffer>();
  const bare = recordBytes({ key: null, value, headers });
  let missing = bytes - bare;
  for (let index = 0, last = ''; ; index += 1) {
    const next = name(index);
    const needed = recordBytes({ key: null, value, headers: new Map([[next, Buffer.alloc(valueBytes)]]) }) - bare;
    if (needed > missing) {
      headers.set(last, Buffer.alloc(valueBytes + missing));
      return { key: null, value, headers };
    }
    headers.set(next, Buffer.alloc(valueBytes));
    missing -= needed;
    last = next;
  }
}

const textEvent = (id: string, overrides: Partial<TextEvent> = {}): TextEvent => ({
  id, source: 's', collection: null, text: 'a text about nothing', language: null, occurredAt: 1_700_000_000_000, attributes: {}, tasks: [], deleted: false,
  ...overrides,
});

/** The value grows with the length of a part of it, one byte by one but where that length needs another byte. */
function filledByValue(encode: (length: number) => Buffer, bytes: number): Content {
  for (let length = bytes; length > 0; length -= 1) {
    const record = { key: null, value: encode(length), headers: noHeaders };
    if (recordBytes(record) === bytes) return record;
  }
  throw new Error('no length gives this size');
}

/** By a name for people. */
function contentsOf({ codec }: Access, bytes: number): ReadonlyMap<string, Content> {
  const encode = (event: TextEvent): Buffer => codec.encode('TextEvent', event);
  const all = new Map<string, Content>([
    ['garbage: its value', filledByValue((length) => Buffer.alloc(length, 0xc3), bytes)],
    ['an event: its text', filledByValue((length) => encode(textEvent('text', { text: 'word '.repeat(length / 5 + 1).slice(0, length) })), bytes)],
    ['an event: an attribute', filledByValue((length) => encode(textEvent('attribute', { attributes: { note: 'x'.repeat(length) } })), bytes)],
    ['a deletion: an attribute', filledByValue((length) => encode(textEvent('gone', { attributes: { note: 'x'.repeat(length) }, deleted: true })), bytes)],
  ]);
  for (const [name, fill] of Object.entries(fillings)) {
    all.set(`garbage: ${name}`, fill(Buffer.from('garbage'), bytes));
    all.set(`an event: ${name}`, fill(encode(textEvent(name)), bytes));
  }
  return all;
}

async function openFor(file: string): Promise<Access> {
  const loaded = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [...tasks.values()] });
  return openAccess(loaded.configuration!, await createProcessContext(pino({ level: 'silent' })), 'any');
}

// The least that can be set, where what stages add is large beside it, and sizes with more digits.
test.each([1_024, 65_536, 1_048_576])('inputs of exactly %i bytes become results or dead letters; a byte more is refused', { timeout: 120_000 }, async (recordBytesMax) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration(recordBytesMax));
    const access = await openFor(file);
    const { incarnation } = await access.transport.describeTopic(topics.text);
    const contents = contentsOf(access, recordBytesMax);
    const names = [...contents.keys()];
    const inputs: OutputRecord[] = [];
    for (const [name, content] of contents) {
      const record = { topic: topics.text, partition: 0, ...content };
      expect(recordBytes(record), name).toBe(recordBytesMax);
      inputs.push(record);
      const larger = { ...record, value: Buffer.concat([record.value, Buffer.alloc(1)]) };
      await expect(access.transport.append([larger]), name).rejects.toMatchObject({
        code: 'LS_TRANSPORT_RECORD_TOO_LARGE',
        message: expect.stringContaining(`of text.events is ${recordBytesMax + 1} bytes; the log takes up to ${recordBytesMax}`) as string,
      });
    }
    await access.transport.append(inputs);
    // As EXTRACT parks them: with an origin more. These seem to have come from a topic that the process does not read.
    const origin = (index: number) => ({ topic: 't'.repeat(249), incarnation: 'i'.repeat(60), partition: 2 ** 31 - 1, sequence: 2n ** 63n - 1n, appendTime: 2 ** 52 - 1 - index });
    await access.transport.append(
      inputs.map((record, index) => ({ ...record, topic: topics.parked, headers: new Map(record.headers).set(headerNames.origin, encodeOrigin(origin(index))) })),
    );
    await access.close();

    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(0);

    const after = await openFor(file);
    const { codec } = after;
    await after.close();
    const { records } = await readLog(directory, [topics.features, topics.deadLetters]);
    const ended = (records.get(topics.deadLetters) ?? []).flat().map(({ headers }) => headers.get(headerNames.origin)?.toString() ?? '');
    for (const { value } of (records.get(topics.features) ?? []).flat()) {
      const decoded = codec.decode(value);
      if (decoded.schema === 'FeatureEvent') ended.push(encodeOrigin(decoded.event.origin).toString());
    }
    for (const [index, name] of names.entries()) {
      const own = ended.filter((text) => text.startsWith(`0 ${String(index)} `) && text.endsWith(` ${incarnation} ${topics.text}`));
      expect(own, name).toHaveLength(1);
      expect(ended, `parked: ${name}`).toContain(encodeOrigin(origin(index)).toString());
    }
    expect(ended).toHaveLength(2 * names.length);
  });
});
