// Two instances over Kafka: either takes events and answers about all clusters, also about those of partitions that the other one has (SEMANTICS.md, rule 25), and goes on when that is killed.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { succeed, writeEncoder } from '../cli/fixtures.ts';
import { kafkaNeeds, testWith } from '../requirements.ts';
import { startProgram, withDirectory, writeConfiguration, type RunningProgram } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const configuration = (dataDirectory: string): string => `
dataDirectory: ${dataDirectory}
server: { port: 0 }
transport:
  kind: kafka
  brokers: ["${sharedBrokers()}"]
  namePrefix: http-instances.
  partitionCount: 2
  sessionTimeoutMs: 3000
  requestTimeoutMs: 2900
  rebalanceTimeoutMs: 10000
  heartbeatIntervalMs: 300
models:
  encoder: { directory: encoder }
routes:
  - name: texts
    from: text
    steps:
      - { name: embed, task: text-features, model: encoder, collection: texts }
      - { name: again, task: text-features, model: encoder, collection: others }
collections:
  - { name: texts, eps: 0.05, minPoints: 3 }
  - { name: others, eps: 0.05, minPoints: 3 }
`;

type Answer = { readonly heldAt: readonly { readonly partition: number; readonly sequence: string | null }[] } & Readonly<Record<string, unknown>>;

async function ask(program: RunningProgram, path: string): Promise<Answer> {
  const url = /"url":"([^"]+)"/.exec(program.stderrSoFar())?.[1] ?? '';
  const response = await fetch(`${url}${path}`);
  const body = (await response.json()) as Answer;
  expect(response.status, `${path}: ${JSON.stringify(body)}`).toBe(200);
  return body;
}

async function publish(program: RunningProgram, texts: Readonly<Record<string, string>>): Promise<void> {
  const url = /"url":"([^"]+)"/.exec(program.stderrSoFar())?.[1] ?? '';
  const events = Object.entries(texts).map(([id, text]) => ({ id, source: 'test', text }));
  const response = await fetch(`${url}/events/text`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ events }) });
  expect([response.status, await response.json()]).toMatchObject([202, {}]);
}

const after = ({ heldAt }: Answer): string => heldAt.flatMap(({ partition, sequence }) => (sequence === null ? [] : [`atLeast=${partition}:${sequence}`])).join('&');

testWith(await kafkaNeeds(), 'any instance answers for all', {}, async () => {
  await withDirectory(async (directory) => {
    const start = async (instance: string): Promise<RunningProgram> => {
      await mkdir(join(directory, instance));
      await writeEncoder(join(directory, instance));
      const file = await writeConfiguration(join(directory, instance), configuration(join(directory, 'data')));
      if (instance === 'a') await succeed('topics', 'create', '-c', file);
      const program = startProgram(['run', '-c', file]);
      await program.said('"msg":"running"');
      return program;
    };
    const a = await start('a');
    const b = await start('b');
    try {
      await b.said('"msg":"state restored"');
      await publish(a, Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`a${index}`, index % 2 === 0 ? 'red' : 'blue'])));
      await publish(b, Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`b${index}`, index % 2 === 0 ? 'red' : `alone ${index}`])));
      const counts = async (program: RunningProgram): Promise<unknown> => ((await ask(program, '/collections')) as unknown as { readonly collections: readonly { readonly itemCount: number }[] }).collections.map(({ itemCount }) => itemCount);
      for (const program of [a, b]) await expect.poll(() => counts(program), { timeout: 60_000 }).toEqual([40, 40]);
      const paths = ['/collections', '/collections/texts/clusters?samples=3', '/collections/others/clusters?samples=3', '/items/test%2Fa3', '/items/test%2Fb2/neighbours?count=5'];
      for (const path of paths) {
        const told = await ask(a, path);
        const separator = path.includes('?') ? '&' : '?';
        expect(await ask(b, `${path}${separator}${after(told)}`), path).toEqual(told);
      }
      a.kill('SIGKILL');
      await a.finished;
      await publish(b, { last: 'blue' });
      await expect.poll(() => counts(b), { timeout: 60_000 }).toEqual([41, 41]);
    } finally {
      for (const program of [a, b]) program.kill('SIGKILL');
    }
  });
});
