// What is said of a file is nothing that a model would contradict.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { taskItems } from '../../src/cli/task/task-files.ts';
import { audioFormatOf } from '../../src/models/preprocessing/audio/audio-format.ts';
import { imageFormatOf } from '../../src/models/preprocessing/image/image-format.ts';
import { constantFlac, wav } from '../models/preprocessing/audio/sound-files.ts';
import { withDirectory } from '../service/program.ts';

/** An ID3v2 tag of ten bytes that are padding. */
const tag = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\0\x0a', 'latin1'), Buffer.alloc(10)]);

const asSound = (bytes: Uint8Array, contentType: string): string => audioFormatOf(Buffer.from(bytes), contentType);
const asImage = (bytes: Uint8Array, contentType: string): string => imageFormatOf(Buffer.from(bytes), contentType);

test.each([
  ['flac', constantFlac(1), asSound],
  ['flac', Buffer.concat([tag, constantFlac(1)]), asSound],
  ['mpeg', tag, asSound],
  ['wav', wav(Buffer.alloc(100)), asSound],
  ['png', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), asImage],
] as const)('%s', async (format, bytes, formatOf) => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'file');
    await writeFile(file, bytes);
    const items = await Array.fromAsync(taskItems([file], ['media'], { bytesMax: 1_000, byLines: false, attributeColumns: [] }));
    expect(items).toMatchObject([{ content: { bytes } }]);
    const { content } = items[0] as unknown as { readonly content: { readonly bytes: Uint8Array; readonly contentType: string } };
    expect(formatOf(content.bytes, content.contentType)).toBe(format);
  });
});

test('of a task that takes several kinds, each file is what its bytes say', async () => {
  await withDirectory(async (directory) => {
    const files: Readonly<Record<string, string | Uint8Array>> = { image: Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), sound: wav(Buffer.alloc(100)), text: 'Oil prices rise.', record: '{"a":1}', rows: '{"a":1}\n{"a":2}\n', noise: Buffer.from([0xff, 0xfe, 0]) };
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
    const read = async (kinds: Parameters<typeof taskItems>[1], name: string): Promise<readonly string[]> => {
      const items = await Array.fromAsync(taskItems([join(directory, name)], kinds, { bytesMax: 1_000, byLines: false, attributeColumns: [] }));
      return items.map((item) => ('error' in item ? item.error.code : (['bytes', 'text', 'values'].find((part) => part in item.content) ?? '')));
    };
    const kinds = ['text', 'media', 'record'] as const;
    expect(Object.fromEntries(await Promise.all(Object.keys(files).map(async (name) => [name, await read(kinds, name)])))).toEqual({
      image: ['bytes'], sound: ['bytes'], text: ['text'], record: ['values'], rows: ['values', 'values'], noise: ['bytes'],
    });
    expect([await read(['text', 'media'], 'record'), await read(['media', 'record'], 'record'), await read(['text', 'record'], 'text')]).toEqual([['text'], ['values'], ['text']]);
  });
});
