/**
 * A plugin with one of everything: two models (the colours of an image, without any weights), a task, a way to queue, and HTTP.
 *
 *   plugins: [./plugins/colours/plugin.ts]
 *   models:
 *     colours: { directory: plugins/colours/model, consumer: colours/pairs }
 *     palette: { directory: plugins/colours/histogram }
 *   routes:
 *     - name: images
 *       from: media
 *       steps:
 *         - { name: colour, task: dominant-colour, model: colours, config: { ignoreGrey: true } }
 *         - { name: palette, task: image-features, model: palette, collection: palettes }
 *
 * In a copy of this file the import is from 'labelstream/plugin'; it is of types alone, so that the program need not be installed beside the plugin.
 */
import type { DecodedImage, HttpApi, ModelInput, OpenPluginModel, Plugin, PluginModelParts, Task } from '../../../src/plugin.ts';

const colours = ['red', 'yellow', 'green', 'cyan', 'blue', 'magenta', 'grey'] as const;

/** Below this difference of the strongest and the weakest of red, green and blue a pixel has no colour. */
const greyMax = 32;

/** 0 to 5: sixths of the circle of hues, around red, yellow, green, cyan, blue, magenta; 6: grey. */
function colourIndex(red: number, green: number, blue: number): number {
  const [largest, smallest] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  const spread = largest - smallest;
  if (spread < greyMax) return 6;
  let sixths: number;
  if (largest === red) sixths = (green - blue) / spread;
  else if (largest === green) sixths = 2 + (blue - red) / spread;
  else sixths = 4 + (red - green) / spread;
  return (Math.round(sixths) + 6) % 6;
}

/** The share of the pixels that each colour has. */
function shares({ width, height, pixels }: DecodedImage): Float32Array {
  const counts = new Float64Array(colours.length);
  for (let at = 0; at < pixels.length; at += 3) {
    const index = colourIndex(pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return Float32Array.from(counts, (count) => count / (width * height));
}

/** Roots of the shares of 4 x 4 x 4 colours: a vector of length 1, whose cosine with another is the Bhattacharyya coefficient of the two histograms. */
function palette({ width, height, pixels }: DecodedImage): Float32Array {
  const counts = new Float64Array(64);
  for (let at = 0; at < pixels.length; at += 3) {
    const index = 16 * ((pixels[at] ?? 0) >> 6) + 4 * ((pixels[at + 1] ?? 0) >> 6) + ((pixels[at + 2] ?? 0) >> 6);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return Float32Array.from(counts, (count) => Math.sqrt(count / (width * height)));
}

/** A model opens in every inference worker. Each item has an outcome of its own: what is wrong with one is no other's business. */
function imageModel(answer: (image: DecodedImage) => Awaited<ReturnType<OpenPluginModel['answer']>>[number]) {
  return {
    open: ({ decodeImage, inputError }: PluginModelParts): Promise<OpenPluginModel> => {
      const answerItem = async (item: ModelInput) => {
        if (item.kind !== 'image') return inputError(`this model reads images, not ${item.kind}`);
        return answer(await decodeImage(item));
      };
      const errorOf = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
      return Promise.resolve({ answer: (items) => Promise.all(items.map((item) => answerItem(item).catch(errorOf))) });
    },
  };
}

const dominantColour: Task = {
  name: 'dominant-colour',
  accepts: ['media'],
  produces: 'label',
  configMistakes: (config) =>
    Object.entries(config).flatMap(([name, value]) => {
      if (name !== 'ignoreGrey') return [`config.${name}: this task knows ignoreGrey alone`];
      return typeof value === 'boolean' ? [] : ['config.ignoreGrey: must be true or false'];
    }),
  input: (event, { config = {} } = {}) => {
    if (event.kind !== 'media') throw new TypeError('routes gave this task another kind of event than it accepts');
    return { kind: 'image', bytes: event.content, contentType: event.event.contentType, config };
  },
  output: (output, { name, labels }, { config = {} } = {}) => {
    if (output.kind !== 'scores') throw new TypeError(`dominant-colour needs scores; the model ${name} gives a ${output.kind}`);
    const ignoreGrey = (config as { readonly ignoreGrey?: boolean }).ignoreGrey === true;
    const scored = labels.map((label, index) => ({ label, score: output.scores[index] ?? 0 })).filter(({ label }) => !(ignoreGrey && label === 'grey'));
    return { kind: 'label', result: { 'labelstream.v1.Classification': { labels: scored.sort((left, right) => right.score - left.score) } } };
  },
};

/** POST /plugins/colours/dominant?model=NAME, an image as the body. */
const dominant: HttpApi = (server, host) => {
  server.addContentTypeParser(/^image\//, { parseAs: 'buffer', bodyLimit: 16 * 1024 * 1024 }, (_request, body, done) => done(null, body));
  server.post<{ Querystring: { model: string }; Body: Buffer | undefined }>(
    '/',
    { schema: { querystring: { type: 'object', required: ['model'], properties: { model: { type: 'string', minLength: 1 } } } } },
    async (request, reply) => {
      const { body, headers, query } = request;
      if (!Buffer.isBuffer(body)) return reply.code(415).send({ error: { code: 'IMAGE_NEEDED', message: 'send an image, with its content type' } });
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const output = await host.run(query.model, { kind: 'image', bytes: body, contentType: headers['content-type'] ?? '' }, gone.signal);
      if (output.kind !== 'scores') return reply.code(400).send({ error: { code: 'MODEL_UNFIT', message: `the model ${query.model} gives no scores` } });
      const { labels } = host.describe(query.model);
      const best = output.scores.reduce((found, score, index) => (score > (output.scores[found] ?? 0) ? index : found), 0);
      return { colour: labels[best], share: output.scores[best] };
    },
  );
};

const plugin: Plugin = {
  apiVersion: 1,
  name: 'colours',
  tasks: [dominantColour],
  models: {
    colours: imageModel((image) => ({ kind: 'scores', scores: shares(image) })),
    histogram: imageModel((image) => ({ kind: 'vector', vector: palette(image) })),
  },
  consumers: {
    // At most two images at a time, on all workers together.
    pairs: () => ({ batchItemsMax: 2, lingerMsMax: 5, inWorkItemsMax: 2 }),
  },
  httpApis: { dominant },
};

export default plugin;
