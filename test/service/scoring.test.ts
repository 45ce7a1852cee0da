// `POST /score` on the real process: what it says of an image or a text is what becomes of it once it is published, and nothing is inserted by asking.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { succeed, withRun, writeTexts } from '../cli/fixtures.ts';
import { repository, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const configuration = `
dataDirectory: data
server: { port: 0 }
transport: { partitionCount: 1 }
models: { eye: { directory: MODELS/visual-encoder }, texts: { directory: MODELS/static-text-encoder } }
routes:
  - { name: images, from: media, steps: [{ name: cluster, task: image-features, model: eye, collection: images }] }
  - { name: texts, from: text, steps: [{ name: cluster, task: text-features, model: texts, collection: texts }] }
collections: [{ name: images, eps: 0.4, minPoints: 3 }, { name: texts, eps: 0.3, minPoints: 3 }]
`;

const picture = (name: string): string => join(repository, 'examples/images', name);
const pictures = (kind: string): readonly string[] => ['01.jpg', '02.jpg', '03.png', '04.jpg', '05.jpg', '06.png', '07.jpg', '08.jpg'].map((end) => picture(`${kind}-${end}`));
const later = ['cat-09.png', 'key-09.png', 'odd-02-spiral.jpg'];
const nonsense = 'no base64 at all!';

type Place = { readonly role: string; readonly clusterId: string | null; readonly clusterName: string | null };
type Score = Place & { readonly nearestCore: { readonly itemId: string; readonly distance: number } | null };
type Scores = { readonly scores: readonly (Score | { readonly error: string; readonly code: string })[]; readonly heldAt: readonly object[] };

test('what is scored is where it goes when it is published; asking inserts nothing, and what is wrong with one costs no other', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration);
    await succeed('publish', 'images', ...pictures('cat'), ...pictures('key'), '--source', 'camera', '-c', file);
    await succeed('publish', 'text', await writeTexts(directory, 'texts.jsonl', { a: 'a sailing boat', b: 'a sailing boat', c: 'a sailing boat!' }), '--source', 'texts', '-c', file);
    await succeed('run', '-c', file, '--until-idle', '--set', 'server.port=0');
    await withRun(file, async (run) => {
      const url = /"url":"([^"]+)"/.exec(run.stderrSoFar())?.[1] ?? '';
      const get = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
      const score = async (body: object, query = ''): Promise<readonly [number, unknown]> => {
        const answer = await fetch(`${url}/score${query}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
        return [answer.status, await answer.json()];
      };
      const encoded = await Promise.all(later.map(async (name) => (await readFile(picture(name))).toString('base64')));
      const before = await get('/collections');
      const [status, scored] = (await score({ collection: 'images', images: [`data:image/png;base64,${encoded[0]}`, encoded[1], nonsense, encoded[2]] })) as [number, Scores];
      expect(status, JSON.stringify(scored)).toBe(200);
      expect(scored).toMatchObject({ collection: 'images', family: 'images', model: expect.any(String) as string, modelVersion: expect.any(String) as string });
      const [cat, key, wrong, odd] = scored.scores as [Score, Score, object, Score];
      expect(wrong).toEqual({ error: 'images[2] is not base64', code: 'LS_SERVER_REQUEST' });
      expect([cat, key, odd].map(({ role, clusterId }) => [role === 'noise', clusterId === null]), 'two of them are in clusters').toEqual([[false, false], [false, false], [true, true]]);
      expect(cat.clusterId).not.toBe(key.clusterId);
      expect(cat.nearestCore).toEqual({ itemId: expect.stringMatching(/^camera\/cat-/) as string, distance: expect.any(Number) as number });
      expect(await get('/collections'), 'nothing was inserted, and nothing appended').toEqual(before);

      const [, texts] = (await score({ collection: 'texts', texts: ['a sailing boat', ' '] })) as [number, Scores];
      expect(texts.scores).toMatchObject([{ role: 'core', nearestCore: { distance: 0 } }, { code: 'LS_TASK_INPUT' }]);

      const { modelVersion } = scored as unknown as { modelVersion: string };
      expect(await score({ collection: 'images', images: encoded, modelVersion })).toMatchObject([200, {}]);
      expect(await score({ collection: 'images', images: encoded, modelVersion: 'other' })).toMatchObject([409, { code: 'LS_SERVER_MODEL_CHANGED' }]);
      expect(await score({ collection: 'images', images: [nonsense] }), 'all failed').toMatchObject([400, { code: 'LS_SERVER_REQUEST', detail: 'images[0] is not base64' }]);
      expect(await score({ collection: 'images', texts: ['a'] })).toMatchObject([400, { detail: 'images takes images, not texts' }]);
      expect(await score({ collection: 'images' })).toMatchObject([400, { detail: 'exactly one of texts and images is needed' }]);
      expect(await score({ collection: 'none', texts: ['a'] })).toMatchObject([404, { code: 'LS_SERVER_NOT_FOUND' }]);
      expect(await score({ collection: 'images', family: 'none', images: encoded })).toMatchObject([404, { code: 'LS_SERVER_NOT_FOUND' }]);

      await succeed('clusters', 'label', cat.clusterId ?? '', 'cats', '-c', file);
      const [{ sequence }] = scored.heldAt as [{ sequence: string }];
      const [, named] = (await score({ collection: 'images', images: encoded }, `?atLeast=0:${BigInt(sequence) + 1n}`)) as [number, Scores];
      expect(named.scores[0]).toMatchObject({ clusterName: 'cats' });

      await succeed('publish', 'images', ...later.map(picture), '--source', 'camera', '-c', file);
      for (const [index, name] of later.entries()) {
        const { role, clusterId, clusterName } = named.scores[index] as Score;
        await expect.poll(() => get(`/items/${encodeURIComponent(`camera/${name}`)}`), { message: name }).toMatchObject({ places: [{ role, clusterId, clusterName }] });
      }
    });
  });
});
