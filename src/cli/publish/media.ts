/** `publish images` and `publish sounds`: files and whole folders as media events, with their bytes or by reference. */
import { realpath } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Option, type Command } from 'commander';
import type { Access } from '../../open-access.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import type { MediaEvent, Reference } from '../../core/events.generated.ts';
import { itemIdOf } from '../../core/ids.ts';
import type { OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { openContentFetcher } from '../../open-content-fetcher.ts';
import { outputOf, withAccess, type CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import type { Output } from '../output.ts';
import { eventOptionsOf, withEventOptions, type EventCommandOptions, type EventOptions } from './event-options.ts';
import { carriedBy, contentOf, referenceBefore, type Carried } from './media-content.ts';
import { mediaFilesOf, type MediaFile, type MediaFiles } from './media-files.ts';
import type { MediaKind } from './media-kinds.ts';
import { eventRecord, publishRecords, type InputRecords } from './publisher.ts';

type MediaOptions = EventCommandOptions & { readonly reference?: boolean; readonly byReference?: string; readonly root?: string; readonly delete?: boolean; readonly dryRun?: boolean };

const passedOverNamed = 5;

export function addMediaCommand(publish: Command, commandLine: CommandLine, kind: MediaKind): void {
  const { name, formats } = kind;
  const command = withEventOptions(publish.command(`${name}s`))
    .summary(`publish ${name}s`)
    .description(
      `publish ${formats}: files, or folders with everything in them. The id of ${withArticle(name)} is its path within the folder that is named, or within --root; ` +
        'that of a file named by itself, without --root, is its name. Its attributes `path` and `folder` say where it lay. In folders, hidden files, links to folders and ' +
        `what is no ${name} by content or name are passed over; what is ${withArticle(name)} by name alone is published, and its dead letter says what is wrong with it`,
    )
    .argument('<path...>', `${name}s and folders`)
    .option('--root <folder>', 'the folder from which ids are formed; all paths lie below it')
    .option('--reference', 'publish where the files are (a file: URI with SHA-256 and size) instead of their bytes; they must lie below media.directories and stay there')
    .addOption(
      new Option(
        '--by-reference <base-uri>',
        'publish where the files are served, or lie in a container: BASE-URI/ID, with SHA-256 and size, instead of their bytes. BASE-URI has to be allowed by media.origins or media.containers; nothing is uploaded',
      ).conflicts('reference'),
    )
    .addOption(new Option('--delete', `publish that the ${name}s are deleted, with the ids that they have by their paths; files that are named may be gone`).conflicts(['reference', 'byReference']))
    .option('--dry-run', 'tell the items, and publish nothing')
    .action(async (paths: readonly string[], options: MediaOptions) => {
      const output = outputOf(commandLine, options.json);
      const eventOptions = eventOptionsOf(options);
      const carried = carriedBy(options);
      const found = await mediaFilesOf(kind, paths, { root: options.root, deleting: options.delete === true });
      await withAccess(options, commandLine, (access) => publishMedia(access, found, { ...options, kind, carried, eventOptions }, output, commandLine.signal), { makesLog: true });
    });
  withExamples(command, ...examples[name]);
}

const examples: Readonly<Record<MediaKind['name'], readonly string[]>> = {
  image: [
    'labelstream publish images photos/ --source camera -c examples/pets.yaml',
    'labelstream publish images photos/cats/tom.jpg --root photos/ --source camera -c examples/pets.yaml',
    'labelstream publish images photos/cats/tom.jpg --root photos/ --source camera --delete --dry-run -c examples/pets.yaml',
    'labelstream publish images photos/cat.jpg photos/dog.png --reference -c examples/pets.yaml',
    'labelstream publish images photos/ --by-reference https://images.example.com/photos -c examples/pets.yaml',
  ],
  sound: [
    'labelstream publish sounds calls/ --source telephone -c sounds.yaml',
    'labelstream publish sounds calls/ --reference -c sounds.yaml',
    'labelstream publish sounds calls/first.mp3 --root calls/ --delete --dry-run -c sounds.yaml',
  ],
};

function withArticle(name: MediaKind['name']): string {
  return name === 'image' ? 'an image' : 'a sound';
}

type Asked = Pick<MediaOptions, 'delete' | 'dryRun'> & { readonly kind: MediaKind; readonly carried: Carried; readonly eventOptions: EventOptions };

async function publishMedia(access: Access, { files, passedOver }: MediaFiles, asked: Asked, output: Output, signal: AbortSignal): Promise<void> {
  const { kind, eventOptions, carried, delete: deleting = false, dryRun = false } = asked;
  await access.codec.prepareEncode({ signal });
  const deletedAtMs = access.context.clock.nowMs();
  const deletions = deleting ? files.map((file) => deletionOf(access, { ...file, modifiedAtMs: deletedAtMs }, eventOptions)) : [];
  if (!deleting) await requirePublishable(access, files, asked);
  const input = deleting ? { records: Readable.from(deletions), bytesTotal: 0, bytesRead: () => 0 } : recordsOf(access, files, eventOptions, carried);
  const published = dryRun ? 0 : await publishRecords(access, input, output, signal);
  if (passedOver.others.length > 0) output.note(`passed over what is no ${kind.described}: ${namesOf(passedOver.others)}`);
  if (passedOver.links.length > 0) output.note(`passed over links that lead to folders or to nothing: ${namesOf(passedOver.links)}`);
  if (passedOver.unnamed.length > 0) output.note(`passed over what has a name that is no UTF-8, and so no id; rename it: ${namesOf(passedOver.unnamed)}`);
  const items = files.map(({ id }) => itemIdOf({ source: eventOptions.source, id }));
  const noun = deleting ? 'deletion' : 'event';
  if (output.json) {
    const skipped = Object.values(passedOver).reduce((sum, { length }) => sum + length, 0);
    output.object({ published, ...(dryRun ? { wouldPublish: items.length, items } : {}), ...(deleting ? { deleted: true } : {}), passedOver: skipped, topic: topics.media });
    return;
  }
  if (dryRun) for (const item of items) output.line(item);
  output.line(dryRun ? `would publish ${counted(items.length, noun)} to ${topics.media}` : `published ${counted(published, noun)} to ${topics.media}`);
}

/** Throws LS_CLI_INPUT. */
function deletionOf(access: Access, image: MediaFile, options: EventOptions): OutputRecord {
  const event = { ...eventOf(image, Buffer.alloc(0), options), content: null, deleted: true };
  return eventRecord(access, { topic: topics.media, event, value: access.codec.encode('MediaEvent', event) }, image.file);
}

function namesOf(files: readonly string[]): string {
  const rest = files.length - passedOverNamed;
  return `${files.slice(0, passedOverNamed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** What EXTRACT would refuse for its name, its size or its place is refused before anything is published. */
async function requirePublishable(access: Access, files: readonly MediaFile[], { kind, carried, eventOptions: options }: Asked): Promise<void> {
  const { media, transport } = access.configuration;
  const { recordBytesMax } = transport;
  const roots = carried.kind === 'file' ? await Promise.all(media.directories.map((directory) => realpath(directory))) : [];
  const fetcher = carried.kind === 'uri' ? await openContentFetcher(media, access.context.clock) : undefined;
  // Events of the right size, though not with the right bytes.
  const zeros = Buffer.alloc(carried.kind === 'bytes' ? recordBytesMax : 0);
  try {
    for (const image of files) {
      const { file, sizeBytes } = image;
      const refused = (message: string): Error => cliError('LS_CLI_INPUT', `${file}: ${message}`, { file });
      if (sizeBytes > media.bytesMax) throw refused(`the ${kind.name} has ${sizeBytes} bytes; media.bytesMax allows ${media.bytesMax}`);
      if (carried.kind !== 'bytes') recordOf(access, image, await referenceBefore(image, carried, { roots, fetcher }), options);
      else if (sizeBytes > recordBytesMax) {
        throw refused(`the event has more than ${sizeBytes} bytes; at most ${recordBytesMax} are allowed. Publish it with --reference or --by-reference, or raise transport.recordBytesMax`);
      } else recordOf(access, image, zeros.subarray(0, sizeBytes), options);
    }
  } finally {
    await fetcher?.close();
  }
}

/** Throws LS_CLI_INPUT. */
function recordOf(access: Access, image: MediaFile, content: Buffer | Reference, options: EventOptions): OutputRecord {
  const event = eventOf(image, content, options);
  return eventRecord(access, { topic: topics.media, event, value: access.codec.encode('MediaEvent', event) }, image.file);
}

function recordsOf(access: Access, files: readonly MediaFile[], options: EventOptions, carried: Carried): InputRecords {
  let bytesRead = 0;
  async function* records(): AsyncGenerator<OutputRecord> {
    for (const image of files) {
      const content = await contentOf(image, carried);
      bytesRead += image.sizeBytes;
      yield recordOf(access, image, content, options);
    }
  }
  return { records: records(), bytesTotal: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), bytesRead: () => bytesRead };
}

function eventOf({ id, path, folder, contentType, modifiedAtMs }: MediaFile, content: Buffer | Reference, { source, collection, attributes }: EventOptions): MediaEvent {
  return {
    id,
    source,
    occurredAt: modifiedAtMs,
    contentType,
    content,
    tasks: [],
    collection: collection ?? null,
    attributes: { path, folder, ...attributes },
    deleted: false,
  };
}
