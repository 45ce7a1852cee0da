// Content by reference through the real program: what can be had is labelled, what cannot has its dead letter with a stable code, what is ours is waited for.
import { randomBytes } from 'node:crypto';
import { BlobServiceClient } from '@azure/storage-blob';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import type { MediaEvent } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { colourImage, colourNames, writeImageModels } from '../models/image-models.ts';
import { referenceTo, startContentServer } from '../references/content-server.ts';
import { describeWith } from '../requirements.ts';
import { azuriteNeeds, startAzurite } from '../stores/azurite.ts';
import { mediaEvent, publishMedia } from './media-events.ts';
import { jsonLines, runProgram, startProgram, withDirectory, writeConfiguration } from './program.ts';

const configuration = (media: string, more = ''): string => `
dataDirectory: data
server: { enabled: false }
${more}
media: ${media}
models:
  classifier: { directory: colour-classifier }
routes: [{ name: images, from: media, steps: [{ name: classify, task: image-classification, model: classifier }] }]
`;

const images = await Promise.all(colourNames.slice(0, 3).map((colour) => colourImage(colour, 0.5, 40).png().toBuffer()));
const colourOf = (index: number): string => colourNames[index % 3] ?? '';
const imageOf = (index: number): Buffer => images[index % 3] ?? Buffer.alloc(0);

const eventAt = (id: string, uri: string, index = 0, fields: Parameters<typeof referenceTo>[1] = {}): MediaEvent => mediaEvent(id, 'image/png', referenceTo(uri, { bytes: imageOf(index), ...fields }));

/** `id label` of each that was labelled, and `id code` of each dead letter, in the order of ids. */
async function outcomes(directory: string): Promise<{ readonly labels: readonly string[]; readonly letters: readonly string[] }> {
  const codec = await openCodec();
  const contents = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
  const labels = (contents.records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value));
  return {
    labels: labels.flatMap(({ inputId, result }) => ('labelstream.v1.Classification' in result ? [`${inputId.replace('s/', '')} ${result['labelstream.v1.Classification'].labels[0]?.label ?? ''}`] : [])).sort(),
    letters: (contents.records.get(topics.deadLetters) ?? []).flat().map(({ key, headers }) => `${key?.toString() ?? ''} ${headers.get(headerNames.errorCode)?.toString() ?? ''}`).sort(),
  };
}

test('what hosts have is labelled, what they do not have or must not be asked for is a dead letter, and nobody waits for a host that hangs', { timeout: 300_000 }, async () => {
  await withDirectory(async (directory) => {
    let isMended = false;
    let asked = 0;
    const server = await startContentServer((request, response) => {
      const [, kind = '', index = '0'] = request.url?.split('/') ?? [];
      if (kind === 'mended' && !isMended) isMended = ++asked > 2;
      if (kind === 'missing') response.writeHead(404).end();
      else if (kind === 'inwards') response.writeHead(302, { location: `http://localhost:${String(server.port)}/good/0` }).end();
      else if (kind === 'packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(imageOf(0)));
      else if (kind === 'busy' || (kind === 'mended' && !isMended)) response.writeHead(503).end();
      else if (kind !== 'hanging') response.end(imageOf(Number(index)));
    });
    const hanging = await startContentServer(() => undefined);
    const fetch = '{ allowPrivateAddresses: [127.0.0.1], retryMsMax: 3000, idleMsMax: 2000, totalMsMax: 60000 }';
    const file = await writeConfiguration(directory, configuration(`{ origins: ["${server.origin}", "${hanging.origin}", "http://[::ffff:7f00:1]:${server.port}"], fetch: ${fetch} }`));
    await writeImageModels(directory);
    const bad: readonly (readonly [code: string, event: MediaEvent])[] = [
      ['LS_REFERENCE_NOT_FOUND', eventAt('missing', `${server.origin}/missing`)],
      ['LS_REFERENCE_NOT_ALLOWED', eventAt('inwards', `${server.origin}/inwards`)],
      ['LS_REFERENCE_NOT_ALLOWED', eventAt('metadata', 'http://169.254.169.254/latest/meta-data')],
      ['LS_REFERENCE_ADDRESS', eventAt('mapped', `http://[::ffff:127.0.0.1]:${server.port}/good/0`)],
      ['LS_REFERENCE_ENCODED', eventAt('packed', `${server.origin}/packed`)],
      ['LS_REFERENCE_MISMATCH', eventAt('other', `${server.origin}/good/1`, 0)],
      ['LS_REFERENCE_MISMATCH', eventAt('hash', `${server.origin}/good/0`, 0, { sha256: '0'.repeat(64) })],
      ['LS_REFERENCE_URI', eventAt('user', server.origin.replace('//', '//user@'))],
      ['LS_REFERENCE_UNAVAILABLE', eventAt('busy', `${server.origin}/busy`)],
      ['LS_REFERENCE_UNREACHABLE', eventAt('hanging', `${hanging.origin}/a`)],
    ];
    const good = Array.from({ length: 60 }, (_, index) => eventAt(`good-${String(index).padStart(2, '0')}`, `${server.origin}/${index === 7 ? 'mended' : 'good'}/${index % 3}`, index));
    await publishMedia(file, good.flatMap((event, index) => [event, ...(bad[index / 5]?.slice(1) as MediaEvent[] | undefined ?? [])]));
    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(0);
    const { labels, letters } = await outcomes(directory);
    expect(letters).toEqual(bad.map(([expected, { id }]) => `${id} ${expected}`).sort());
    expect(labels).toEqual(good.map(({ id }, index) => `${id} ${colourOf(index)}`));
    expect(jsonLines(stderr).filter(({ host }) => host === hanging.origin).length).toBeGreaterThan(0);
  });
});

test('a stop does not wait for a host that is away, nothing is lost by it, and it goes on when the host is back', { timeout: 300_000 }, async () => {
  await withDirectory(async (directory) => {
    const gone = await startContentServer(() => undefined);
    await gone.close();
    const file = await writeConfiguration(directory, configuration(`{ origins: ["${gone.origin}"], fetch: { allowPrivateAddresses: [127.0.0.1], retryMsMax: 600000 } }`, 'delivery: exactly-once'));
    await writeImageModels(directory);
    await publishMedia(file, Array.from({ length: 10 }, (_, index) => eventAt(`waits-${index}`, `${gone.origin}/${index % 3}`, index)));
    const run = startProgram(['run', '-c', file]);
    await run.said('a host of references does not answer');
    run.kill('SIGTERM');
    const { code, stderr } = await run.finished;
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain('stop forced');
    expect(await outcomes(directory)).toEqual({ labels: [], letters: [] });
    await startContentServer((request, response) => response.end(imageOf(Number(request.url?.slice(1)))), undefined, gone.port);
    expect(await runProgram('run', '-c', file, '--until-idle')).toMatchObject({ code: 0 });
    expect(await outcomes(directory)).toEqual({ labels: Array.from({ length: 10 }, (_, index) => `waits-${index} ${colourOf(index)}`), letters: [] });
  });
});

describeWith(await azuriteNeeds(), 'a container of content', () => {
  test('is waited for while it is away, and others go on meanwhile', { timeout: 300_000 }, async () => {
    const azurite = await startAzurite(randomBytes(32).toString('base64'));
    try {
      const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('photos');
      await container.create();
      for (const [index, bytes] of images.entries()) await container.getBlockBlobClient(`${index}.png`).upload(bytes, bytes.length);
      await withDirectory(async (directory) => {
        const media = `{ containers: { ours: { connectionString: "${azurite.connectionString}", container: photos } } }`;
        const file = await writeConfiguration(directory, configuration(media, 'extract: { holdMsMax: 300 }'));
        await writeImageModels(directory);
        await azurite.stop();
        const referred = Array.from({ length: 9 }, (_, index) => eventAt(`a-${index}`, `${azurite.url}/photos/${index % 3}.png`, index));
        const inline = Array.from({ length: 9 }, (_, index) => mediaEvent(`b-${index}`, 'image/png', imageOf(index)));
        await publishMedia(file, [...referred, ...inline, eventAt('c', `${azurite.url}/photos/none.png`)]);
        const run = startProgram(['run', '-c', file, '--until-idle']);
        await run.said('waiting for a container of content');
        await run.said('record parked');
        await azurite.restart();
        const { code, stderr } = await run.finished;
        expect(code, stderr).toBe(0);
        expect(stderr).not.toContain(/AccountKey=([^;]+)/.exec(azurite.connectionString)?.[1]);
        const labelled = [...referred, ...inline].map(({ id }, index) => `${id} ${colourOf(index % 9)}`);
        expect(await outcomes(directory)).toEqual({ labels: labelled, letters: ['c LS_REFERENCE_NOT_FOUND'] });
      });
    } finally {
      await azurite.close();
    }
  });
});
