/** Sounds through the real program and the tiny Whisper. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import type { MediaEvent } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { tinyDirectory } from '../models/transformers/tiny-models.ts';
import { publishMedia, runWatched } from './media-events.ts';
import { withDirectory, writeConfiguration } from './program.ts';

export type Heard = {
  /** Texts by item. */
  readonly texts: ReadonlyMap<string, string>;
  /** As `item code`. */
  readonly letters: readonly string[];
};

export async function hear(events: readonly MediaEvent[]): Promise<Heard> {
  return withDirectory(async (directory) => {
    await tinyDirectory('whisper', { directory: join(directory, 'whisper') });
    const file = await writeConfiguration(directory, `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models: { whisper: { directory: whisper } }
routes:
  - name: sounds
    from: media
    steps:
      - { name: hear, task: automated-speech-recognition, model: whisper, config: { language: en, max_new_tokens: 16 } }
`);
    await publishMedia(file, events);
    const { code, stderr } = await runWatched(file);
    expect(code, stderr).toBe(0);
    const codec = await openCodec();
    const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    const labels = (records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value));
    const texts = labels.flatMap(({ itemId, result }) => ('labelstream.v1.Transcript' in result ? [[itemId.replace('s/', ''), result['labelstream.v1.Transcript'].text] as const] : []));
    const letters = (records.get(topics.deadLetters) ?? []).flat().map(({ key, headers }) => [key, headers.get(headerNames.errorCode)].map(String).join(' '));
    return { texts: new Map(texts), letters: letters.sort() };
  });
}
