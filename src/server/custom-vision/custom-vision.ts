/**
 * The prediction API of Azure Custom Vision: an image, or the address of one, is classified, or what is on it is found. The published name of an iteration
 * is the name of a model here; which project it is of is taken as it comes. Nothing is stored either way, so `nostore` changes nothing.
 */
import { createHash, randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { serverError } from '../../core/errors/server.ts';
import type { ModelDescription } from '../../models/model-port.ts';
import { runTaskRequest } from '../../tasks/task-request.ts';
import type { TaskResult } from '../../tasks/task.ts';
import { typeOf } from '../encoded-content.ts';
import { requireModelFor } from '../model-choice.ts';
import type { Api, FailureFormat } from '../http-port.ts';
import { schemaOf } from '../schemas.ts';
import type { TaskHost } from '../task-host.ts';
import { uprightSize } from './image-size.ts';

export type CustomVisionOptions = {
  readonly host: TaskHost;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly imageBytesMax: number;
  /** By the rules for references of events. Undefined where nothing is fetched. */
  readonly fetchImage: ((uri: string, bytesMax: number, signal: AbortSignal) => Promise<Uint8Array>) | undefined;
};

const tags = ['custom vision'];
/** No field is read. */
const fieldBytesMax = 1_024;
const box = z.strictObject({ left: z.number(), top: z.number(), width: z.number(), height: z.number() });
const prediction = z.strictObject({ probability: z.number(), tagId: z.string(), tagName: z.string(), boundingBox: box.optional(), tagType: z.literal('Regular') });
const imagePrediction = schemaOf(
  z.strictObject({ id: z.string(), project: z.string(), iteration: z.string(), created: z.string(), predictions: z.array(prediction).describe('The most probable first. Boxes are parts of the width and the height.') }),
);
const params = schemaOf(z.strictObject({ projectId: z.guid(), publishedName: z.string().min(1) }));
const query = schemaOf(z.strictObject({ application: z.string().optional() }));
/** Read by own code: the parser of forms, or as it comes. */
const bytes = { type: 'string', format: 'binary' };
const imageBody = { content: { 'multipart/form-data': { schema: { type: 'object', properties: { imageData: bytes }, required: ['imageData'] } }, 'application/octet-stream': { schema: bytes } } };
const imageUrl = schemaOf(z.strictObject({ url: z.string().min(1).max(8_192) }));

type Params = { readonly projectId: string; readonly publishedName: string };
type Kind = 'classify' | 'detect';

const taskOfKind = { classify: 'image-classification', detect: 'object-detection' } as const;

const failures: FailureFormat = {
  mediaType: 'application/json',
  schema: schemaOf(z.strictObject({ code: z.string(), message: z.string() })),
  write: (_request, reply, { status, detail, code }) => reply.code(status).type('application/json').send({ code, message: detail }),
};

export function customVision(options: CustomVisionOptions): Api {
  return {
    name: 'custom vision',
    description: 'The prediction API of Azure Custom Vision.',
    add: async (server, setFailures) => {
      setFailures(server, failures);
      // The SDK for Python gives its file no name.
      const isPartAFile = (field: string | undefined, _type: string | undefined, name: string | undefined): boolean => name !== undefined || field === 'imageData';
      await server.register(multipart, { isPartAFile, limits: { files: 1, fileSize: Math.min(options.imageBytesMax, server.initialConfig.bodyLimit ?? Number.POSITIVE_INFINITY), fields: 10, fieldSize: fieldBytesMax, parts: 11 } });
      server.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
      // As the SDKs write the path, and as the portal shows it.
      for (const base of ['v3.1/prediction', 'v3.1/Prediction', 'v3.0/prediction', 'v3.0/Prediction']) for (const kind of ['classify', 'detect'] as const) addKind(server, base, kind, options);
    },
  };
}

function addKind(server: FastifyInstance, base: string, kind: Kind, options: CustomVisionOptions): void {
  const verb = kind === 'classify' ? 'Classify' : 'Find what is on';
  for (const end of ['', '/nostore']) {
    const path = `/customvision/${base}/:projectId/${kind}/iterations/:publishedName`;
    const common = { tags, params, querystring: query, response: { 200: imagePrediction } };
    const imageSchema = { ...common, summary: `${verb} an image` };
    server.post<{ Params: Params }>(`${path}/image${end}`, { config: { scope: 'predict', documented: { body: imageBody } }, schema: imageSchema }, async (request) => predicted(options, kind, request.params, await imageIn(request), request.ending));
    const urlSchema = { ...common, summary: `${verb} the image at an address`, body: imageUrl };
    server.post<{ Params: Params; Body: { url: string } }>(`${path}/url${end}`, { config: { scope: 'predict' }, schema: urlSchema }, async ({ params: of, body: { url }, ending }) => predicted(options, kind, of, await imageAt(options, url, ending), ending));
  }
}

async function imageIn(request: FastifyRequest): Promise<Buffer> {
  if (Buffer.isBuffer(request.body)) return request.body;
  try {
    const part = await request.file();
    if (part === undefined) throw serverError('LS_SERVER_REQUEST', 'the form has no file');
    return await part.toBuffer();
  } catch (error) {
    // The parser throws what it thinks of a form that is none, or that ends early, as it is.
    const isParsers = error instanceof Error && !(error instanceof LabelstreamError) && !('statusCode' in error);
    throw isParsers ? serverError('LS_SERVER_REQUEST', error.message, {}, { cause: error }) : error;
  }
}

async function imageAt({ fetchImage, imageBytesMax }: CustomVisionOptions, url: string, signal: AbortSignal): Promise<Buffer> {
  if (fetchImage === undefined) throw serverError('LS_SERVER_REQUEST', 'no image is fetched here: media.origins and media.containers name nothing');
  const bytes = await fetchImage(url, imageBytesMax, signal);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function predicted({ host, clock }: CustomVisionOptions, kind: Kind, { projectId, publishedName }: Params, bytes: Buffer, signal: AbortSignal): Promise<object> {
  const task = taskOfKind[kind];
  const model = requireModelFor(host, task, publishedName);
  const description = host.models().describe(model);
  const result = (await runTaskRequest({ models: host.models(), tasks: host.tasks }, { task, model, content: { bytes, contentType: typeOf(bytes) } }, { signal, priority: 'interactive' })) as TaskResult;
  return {
    id: randomUUID(),
    project: projectId,
    iteration: uuidOf(description.model, description.version),
    created: new Date(clock.nowMs()).toISOString(),
    predictions: await predictionsOf(description, result, bytes),
  };
}

async function predictionsOf({ model }: ModelDescription, answer: TaskResult, bytes: Buffer): Promise<readonly object[]> {
  if (answer.kind !== 'label') throw new TypeError('a label was expected');
  const { result } = answer;
  const tagged = (label: string, probability: number): object => ({ probability, tagId: uuidOf(model, label), tagName: label, tagType: 'Regular' });
  if ('labelstream.v1.Classification' in result) return result['labelstream.v1.Classification'].labels.map(({ label, score }) => tagged(label, score));
  if (!('labelstream.v1.Detection' in result)) throw new TypeError('boxes were expected');
  const { boxes, labels, scores } = result['labelstream.v1.Detection'];
  const { width, height } = await uprightSize(bytes);
  return boxes.map(([left = 0, top = 0, right = 0, bottom = 0], index) => ({
    ...tagged(labels[index] ?? '', scores[index] ?? 0),
    boundingBox: { left: left / width, top: top / height, width: (right - left) / width, height: (bottom - top) / height },
  }));
}

/** The same for the same names, wherever it is computed; of the layout of version 8 (RFC 9562), which leaves to whoever makes it how. */
function uuidOf(...names: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(names)).digest().subarray(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
