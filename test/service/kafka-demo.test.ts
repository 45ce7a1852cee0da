// The demo over a real Kafka, by the command of the README: what it prints is what it prints on the embedded log.
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { blocksOf, documents } from '../repository/documents.ts';
import { repository, runProgram } from './program.ts';

type Summary = {
  readonly eventsIn: number;
  readonly labels: unknown;
  readonly clusters: readonly { readonly collection: string; readonly size: number }[];
  readonly noise: number;
  readonly deadLetters: unknown;
};

const command = 'npm run demo:kafka';

async function printedBy(parameters: readonly string[]): Promise<string> {
  const child = spawn('npm', parameters, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((ended) => child.on('close', ended));
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Without what differs from run to run: ids, times and rates. */
function comparable(stdout: string): unknown {
  const { eventsIn, labels, clusters, noise, deadLetters } = JSON.parse(stdout) as Summary;
  return { eventsIn, labels, noise, deadLetters, clusters: clusters.map(({ collection, size }) => `${collection} ${size}`).sort() };
}

test('the documents name one command that needs Java and Maven', async () => {
  const blocks = (await Promise.all((await documents()).map(blocksOf))).flat().filter(({ marks }) => marks.get('needs') === 'Java and Maven');
  expect(blocks.map(({ text }) => text)).toEqual([command]);
});

describeWith(await kafkaNeeds(), 'the demo over Kafka', () => {
  test('gives what it gives on the embedded log', { timeout: 240_000 }, async () => {
    const [, ...words] = command.split(' ');
    const overKafka = await printedBy(['--silent', ...words, '--', '--json']);
    expect(comparable(overKafka)).toEqual(comparable((await runProgram('demo', '--json')).stdout));
  });
});
