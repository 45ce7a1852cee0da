/** The peer: a loop around librdkafka, from outside this repository. It makes and fills topics of its own and tells how fast it was. */
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = resolve(import.meta.dirname, '../../../shared/peers/kafka_loop.py');

/** LABELSTREAM_BENCH_PYTHON: one that has confluent-kafka. Undefined where there is none, or no script. */
export async function librdkafkaPython(): Promise<string | undefined> {
  const python = process.env['LABELSTREAM_BENCH_PYTHON'] ?? 'python3';
  try {
    await access(script);
    await run(python, ['-c', 'import confluent_kafka']);
    return python;
  } catch {
    return undefined;
  }
}

export async function librdkafkaPass(python: string, brokers: string, messageCount: number, messageBytes: number): Promise<number> {
  const { stdout } = await run(python, [script, '--brokers', brokers, '--messages', String(messageCount), '--bytes', String(messageBytes)]);
  const { messages_per_second: perSecond } = JSON.parse(stdout) as { readonly messages_per_second: number };
  return messageCount / perSecond;
}
