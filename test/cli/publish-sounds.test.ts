// `publish sounds`: told by their bytes, whatever they are called and however long the tag before them is, and heard by a run.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readSound } from '../models/preprocessing/audio/sound-files.ts';
import { tinyDirectory } from '../models/transformers/tiny-models.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { succeed, topicContents } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const configuration = `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models: { whisper: { directory: whisper } }
routes:
  - { name: sounds, from: media, steps: [{ name: hear, task: automated-speech-recognition, model: whisper, config: { max_new_tokens: 4 } }] }
`;

/** A title with a picture: ID3v2, of so many bytes. */
function tag(bytes: number): Buffer {
  const inside = bytes - 10;
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), Buffer.from([21, 14, 7, 0].map((shift) => (inside >> shift) & 0x7f)), Buffer.alloc(inside)]);
}

test('a folder of sounds is published and heard; what is no sound is passed over, or refused where it is named', async () => {
  await withDirectory(async (directory) => {
    await tinyDirectory('whisper', { directory: join(directory, 'whisper') });
    const file = await writeConfiguration(directory, configuration);
    const flac = await readSound('integers-16.flac');
    const files: Readonly<Record<string, string | Buffer>> = {
      'one.wav': await readSound('integers-16.wav'),
      'two.mp3': await readSound('mono.mp3'),
      'three.ogg': await readSound('mono.opus.ogg'),
      'not-its-name.wav': flac,
      'tagged.flac': Buffer.concat([tag(300_000), flac]),
      'broken.mp3': 'no sound',
      'notes.txt': 'no sound',
    };
    await mkdir(join(directory, 'calls'));
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, 'calls', name), content);
    const published = await succeed('publish', 'sounds', join(directory, 'calls'), '--source', 'telephone', '-c', file);
    expect(published.stdout).toBe('published 6 events to media.events\n');
    expect(published.stderr).toMatch(/^passed over what is no WAV, MP3, FLAC or Ogg file: \S+notes\.txt\n$/);
    const types = (await topicContents(file, 'media.events')).map(({ key, value }) => [key, (value as { readonly contentType: string }).contentType]);
    expect(Object.fromEntries(types)).toEqual({
      'telephone/one.wav': 'audio/wav', 'telephone/two.mp3': 'audio/mpeg', 'telephone/three.ogg': 'audio/ogg', 'telephone/not-its-name.wav': 'audio/flac',
      'telephone/tagged.flac': 'audio/flac', 'telephone/broken.mp3': 'audio/mpeg',
    });
    await succeed('run', '-c', file, '--until-idle');
    const labels = await topicContents(file, 'labels');
    expect(labels.map(({ key }) => key).sort()).toEqual(['telephone/not-its-name.wav', 'telephone/one.wav', 'telephone/tagged.flac', 'telephone/three.ogg', 'telephone/two.mp3']);
    const letters = await topicContents(file, 'dead-letters');
    expect(letters.map(({ key }) => key)).toEqual(['telephone/broken.mp3']);

    const { code, stderr } = await runProgram('publish', 'sounds', join(directory, 'calls/notes.txt'), '-c', file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/notes\.txt: this is no WAV, MP3, FLAC or Ogg file \[LS_CLI_FILE_KIND\]/);
  });
});
