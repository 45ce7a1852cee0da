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
    const items = await Array.fromAsync(taskItems([file], 'media', { bytesMax: 1_000, byLines: false, attributeColumns: [] }));
    expect(items).toMatchObject([{ content: { bytes } }]);
    const { content } = items[0] as unknown as { readonly content: { readonly bytes: Uint8Array; readonly contentType: string } };
    expect(formatOf(content.bytes, content.contentType)).toBe(format);
  });
});
