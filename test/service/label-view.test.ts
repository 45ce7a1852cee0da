// What items are labelled now, asked of the real program: killed while it writes, started again, and with its file gone.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { clustersOf, forgetItems } from '../../src/clusters-of.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { topics } from '../../src/core/topics.ts';
import { succeed, textsConfiguration, withLog, withRun, writeEncoder } from '../cli/fixtures.ts';
import { appendRecords, recordsIn } from '../cli/log-access.ts';
import { createRandom } from '../clustering/random.ts';
import { openEvents } from '../server/event-source.ts';
import { movingTexts, publishTexts } from './moving-texts.ts';
import { startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 300_000 });

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 43);
const notesAlone = `
dataDirectory: data
server: { port: 0 }
models: { notes: { directory: MODELS/banknote-classifier } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
`;
const urlIn = (text: string): string => /"url":"([^"]+)"/.exec(text)?.[1] ?? '';

type Answer = {
  readonly labels: readonly { readonly id: string; readonly clusterId?: string | null; readonly currentClusterId?: string | null; readonly result: Readonly<Record<string, unknown>> }[];
  readonly heldAt: readonly { readonly topic: string; readonly partition: number; readonly sequence: string | null; readonly incompleteSince: string | null }[];
};

async function ask(url: string, path: string): Promise<Answer> {
  const response = await fetch(url + path);
  expect(response.status, path).toBe(200);
  return (await response.json()) as Answer;
}

/** Once it is there. */
async function readAt(url: string, records: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const read = [...metrics.matchAll(/^labelstream_label_view_records_total\{topic="[^"]+"\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
      expect(read).toBeGreaterThan(records);
    },
    { timeout: 60_000, interval: 20 },
  );
}

/** The current cluster of each item, when the view knows of all that is in the log. */
async function clustersTold(file: string, ids: readonly string[]): Promise<Readonly<Record<string, string | null>>> {
  const ends = new Map<string, string>();
  for (const topic of [topics.labels, topics.clusterEvents]) for (const { partition, sequence } of await recordsIn(file, topic)) ends.set(`${topic}/${partition}`, String(sequence));
  const told: Record<string, string | null> = {};
  await withRun(file, async (run) => {
    const url = urlIn(run.stderrSoFar());
    await vi.waitFor(
      async () => {
        const { heldAt } = await ask(url, '/labels?input=none');
        expect(heldAt.filter(({ topic, partition, sequence }) => BigInt(sequence ?? -1) < BigInt(ends.get(`${topic}/${partition}`) ?? -1))).toEqual([]);
      },
      { timeout: 60_000, interval: 50 },
    );
    for (const id of ids) {
      const answer = await ask(url, `/items/${encodeURIComponent(id)}/labels`);
      expect(answer.labels).toEqual((await ask(url, `/labels?input=${encodeURIComponent(id)}`)).labels);
      expect(answer.labels.length).toBeLessThan(2);
      for (const { currentClusterId } of answer.labels) told[id] = currentClusterId ?? null;
    }
  });
  return told;
}

test(`killed while it writes the view, it says afterwards what the clusters say (seed ${seed})`, async () => {
  await withDirectory(async (directory) => {
    const random = createRandom(seed);
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration('eps: 0.006, minPoints: 2').replace('server: { enabled: false }', 'server: { port: 0 }'));
    const all = movingTexts(seed, 1200);
    for (let part = 0; part < 4; part++) {
      await publishTexts(file, all.slice(300 * part, 300 * (part + 1)));
      await withRun(file, async (run) => {
        await readAt(urlIn(run.stderrSoFar()), random.below(150));
        await sleep(random.below(20));
      });
    }
    await succeed('run', '-c', file, '--until-idle');
    await withLog(file, (access) => forgetItems(access, ['s/i1', 's/i2', 's/i3']));
    await succeed('run', '-c', file, '--until-idle');
    const ids = [...new Set(all.map((event) => itemIdOf(event)))];
    const expected = await withLog(file, async (access) => {
      const view = await clustersOf(access, new AbortController().signal);
      return Object.fromEntries(ids.flatMap((id) => view.item(id).value.map(({ clusterId }) => [id, clusterId])));
    });
    expect(Object.keys(expected).length).toBeGreaterThan(50);
    expect(await clustersTold(file, ids)).toEqual(expected);
    await rm(join(directory, 'data/views'), { recursive: true });
    expect(await clustersTold(file, ids)).toEqual(expected);
  });
});

test('streams end with a word when the program stops, hold nothing up, and go on with the next one', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesAlone);
    const values = { variance: 3.6, skewness: 8.7, curtosis: -2.8, entropy: -0.4 };
    const received: string[] = [];
    let lastEventId: string | undefined;
    for (let part = 0; part < 3; part++) {
      await appendRecords(file, Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`n${50 * part + index}`, values])));
      const run = startProgram(['run', '-c', file]);
      await run.said('"msg":"running"');
      const source = await openEvents(`${urlIn(run.stderrSoFar())}/labels/stream?from=earliest`, { lastEventId });
      const take = async (): Promise<string> => {
        const event = await source.next();
        lastEventId = event?.id ?? lastEventId;
        if (event?.event === 'message') received.push((event.data as { readonly itemId: string }).itemId);
        return event?.event ?? 'over';
      };
      // Somewhere in the middle.
      while (received.length < 50 * part + 20) await take();
      run.kill('SIGTERM');
      let last = await take();
      for (let event = last; event !== 'over'; event = await take()) last = event;
      expect(last).toBe('end');
      const { code, stderr } = await run.finished;
      expect(code, stderr).toBe(0);
    }
    await withRun(file, async (run) => {
      const source = await openEvents(`${urlIn(run.stderrSoFar())}/labels/stream`, { lastEventId });
      while (received.length < 150) {
        const event = await source.next();
        if (event?.event === 'message') received.push((event.data as { readonly itemId: string }).itemId);
      }
      source.close();
    });
    // What was delivered and not committed is told again.
    expect([...new Set(received)].sort()).toEqual(Array.from({ length: 150 }, (_, index) => `s/n${index}`).sort());
  });
});

test('results are told by route step and task, an item without any is no failure, and models alone have no labels', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesAlone);
    await appendRecords(file, { n1: { variance: 3.6, skewness: 8.7, curtosis: -2.8, entropy: -0.4 } });
    await withRun(file, async (run) => {
      const url = urlIn(run.stderrSoFar());
      await vi.waitFor(async () => {
        const { labels } = await ask(url, '/items/s%2Fn1/labels');
        expect(labels).toMatchObject([{ itemId: 's/n1', routeStep: 'notes/predict', task: 'record-prediction', result: { 'labelstream.v1.Prediction': { label: expect.any(String) as string } } }]);
      }, { timeout: 30_000 });
      expect(await ask(url, '/items/s%2Fnone/labels')).toMatchObject({ itemId: 's/none', labels: [] });
      expect((await fetch(`${url}/labels`)).status).toBe(400);
    });
    await withRun(file, async (run) => {
      expect((await fetch(`${urlIn(run.stderrSoFar())}/labels?input=x`)).status).toBe(404);
    }, ['--set', 'server.labels.enabled=false']);
  });
});
