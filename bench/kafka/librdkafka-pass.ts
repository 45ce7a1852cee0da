/** The peer: a loop around librdkafka, from outside this repository. It makes and fills topics of its own and tells how fast it was. */
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Measured } from './messages.ts';

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

/** Runs the script as it is, and notes the processor time whenever it looks at its own clock: before the first message and after the last. */
const withProcessorTime = `
import runpy, sys, time
marks, clock = [], time.perf_counter
def noted():
    marks.append(time.process_time())
    return clock()
time.perf_counter = noted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
print(marks[-1] - marks[0])
`;

export async function librdkafkaPass(python: string, brokers: string, messageCount: number, messageBytes: number): Promise<Measured> {
  const { stdout } = await run(python, ['-c', withProcessorTime, script, '--brokers', brokers, '--messages', String(messageCount), '--bytes', String(messageBytes)]);
  const [told = '', cpuSeconds = ''] = stdout.trim().split('\n').slice(-2);
  const { messages_per_second: perSecond } = JSON.parse(told) as { readonly messages_per_second: number };
  return { items: messageCount, seconds: messageCount / perSecond, cpuSeconds: Number(cpuSeconds) };
}
