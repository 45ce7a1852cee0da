/** The images that the demo publishes: the drawings of examples/images, as `publish images` would read them, and a few that are broken on purpose. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageDirectory } from '../../package-directory.ts';
import type { MediaEvent } from '../../core/events.generated.ts';
import { mediaFilesOf } from '../publish/media-files.ts';
import { imageKind } from '../publish/media-kinds.ts';

const everyNthBroken = 20;

export async function demoImages(): Promise<readonly MediaEvent[]> {
  const { files } = await mediaFilesOf(imageKind, [join(packageDirectory, 'examples/images')]);
  const good = await Promise.all(files.map(async ({ file, id, contentType }) => imageEvent(id, contentType, await readFile(file))));
  return good.flatMap((event, index) => (index % everyNthBroken === everyNthBroken - 1 ? [event, brokenOf(event)] : [event]));
}

/** The file of somebody who stopped sending it half-way. */
function brokenOf({ id, contentType, content }: MediaEvent): MediaEvent {
  return imageEvent(`half-of-${id}`, contentType, Buffer.isBuffer(content) ? content.subarray(0, content.length / 2) : Buffer.alloc(0));
}

function imageEvent(id: string, contentType: string, content: Buffer): MediaEvent {
  return { id, source: 'demo', occurredAt: 0, contentType, content, tasks: [], collection: null, attributes: { path: id }, deleted: false };
}
