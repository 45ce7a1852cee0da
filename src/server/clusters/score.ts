/** `POST /score`: the clusters that texts or images would be in. */
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import { failedAnswer } from '../answers.ts';
import { contentOf } from '../encoded-content.ts';
import type { Api } from '../http-port.ts';
import { schemaOf } from '../schemas.ts';
import { askOptionsOf, heldAt, heldAtOf, waiting, type Waiting } from './held-at.ts';
import { scoresOf, type ScoredContent, type ScoredItem, type ScoringHost } from './scoring.ts';

const itemsMax = 256;

const texts = z.array(z.string()).min(1).max(itemsMax);
const body = z.strictObject({
  collection: z.string().min(1),
  family: z.string().min(1).optional().describe('Where collections of several families have the name, or none of a template has it yet.'),
  texts: texts.optional().describe('Of a collection of texts.'),
  images: texts.optional().describe('Of a collection of images: base64, with or without the head of a data URL.'),
  modelVersion: z.string().min(1).optional().describe('That the model of the collection has to have; another is refused (409).'),
});
const place = z.strictObject({
  role: z.enum(['core', 'border', 'noise']).describe('core: with it, minPoints items are within eps.'),
  clusterId: z.string().nullable().describe('Of the nearest core item within eps; null: noise.'),
  clusterName: z.string().nullable(),
  nearestCore: z.strictObject({ itemId: z.string(), distance: z.number() }).nullable(),
});
const failure = z.strictObject({ error: z.string(), code: z.string() });
const answer = z.strictObject({
  collection: z.string(),
  family: z.string(),
  model: z.string().describe('That the features are of: that of the collection.'),
  modelVersion: z.string(),
  scores: z.array(z.union([place, failure])).describe('One for each text or image, in their order. One that failed says why; the request fails where all did.'),
  heldAt,
});

export function score(scoring: ScoringHost): Api {
  return {
    name: 'scoring',
    description: 'The clusters that texts and images would be in.',
    add: (server) => {
      const schema = {
        tags: ['scoring'],
        summary: 'Where texts or images would be; nothing is inserted',
        querystring: schemaOf(z.strictObject(waiting)),
        body: schemaOf(body),
        response: { 200: schemaOf(answer) },
      };
      server.post<{ Querystring: Waiting; Body: z.output<typeof body> }>('/score', { config: { scope: 'predict', refusals: [404, 409] }, schema }, async ({ query, body: given, ending }) => {
        const { collection, family: named, modelVersion: wanted } = given;
        const request = { collection, family: named, modelVersion: wanted, ...contentsOf(given) };
        const { family, model, modelVersion, items, heldAt: held } = await scoresOf(scoring, request, askOptionsOf(query, ending));
        return { collection, family, model, modelVersion, scores: scoresIn(items), heldAt: heldAtOf(held) };
      });
    },
  };
}

function contentsOf({ texts: givenTexts, images }: z.output<typeof body>): { readonly kind: 'text' | 'media'; readonly items: readonly ScoredContent[] } {
  if ((givenTexts === undefined) === (images === undefined)) throw serverError('LS_SERVER_REQUEST', 'exactly one of texts and images is needed', { field: 'texts' });
  if (givenTexts !== undefined) return { kind: 'text', items: givenTexts.map((text) => ({ content: { text } })) };
  return { kind: 'media', items: (images ?? []).map((image, index) => imageIn(image, `images[${index}]`)) };
}

/** What is no base64 fails alone. */
export function imageIn(encoded: string, field: string): ScoredContent {
  try {
    return { content: contentOf(encoded, field) };
  } catch (error) {
    return { error };
  }
}

function scoresIn(items: readonly ScoredItem[]): readonly z.output<typeof answer>['scores'][number][] {
  const [first] = items;
  if (first !== undefined && 'error' in first && items.every((item) => 'error' in item)) throw first.error;
  return items.map((item) => {
    if ('error' in item) {
      const { detail, code } = failedAnswer(item.error);
      return { error: detail, code };
    }
    const { role, clusterId, clusterName, nearestCore } = item.place;
    return { role, clusterId, clusterName, nearestCore };
  });
}
