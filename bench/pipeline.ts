/**
 * What the engine costs on top of the clients that it uses: 512-byte messages from four partitions of a real Kafka to four others, acks=all, against the
 * same clients in the loop that one would write with them, and against librdkafka's. The broker is a process of its own on the same machine. Every pass
 * reads the same input topic with a group of its own, and every message has to arrive once.
 */
import { startKafka, type KafkaBroker } from '../test/brokers/kafka-broker.ts';
import type { Bench, BenchOutcome } from './bench.ts';
import { interleavedPairs, type PairsResult, type Side } from './interleaved-pairs.ts';
import { avroInput, avroPass } from './kafka/avro-pass.ts';
import { enginePass, type EngineOptions } from './kafka/engine-pass.ts';
import { librdkafkaPass, librdkafkaPython } from './kafka/librdkafka-pass.ts';
import { digestOf, fillTopic, newTopic, type Digest, type Measured, type PassPlan } from './kafka/messages.ts';
import { rawPass } from './kafka/raw-pass.ts';

const messageCount = Number(process.env['LABELSTREAM_BENCH_MESSAGES'] ?? 200_000);
const messageBytes = 512;
const only = process.env['LABELSTREAM_BENCH_ONLY']?.split(',');
const isWanted = (comparison: string): boolean => only?.some((name) => comparison.startsWith(name)) ?? true;
/** With more of the machine's memory than tests give it, and the compiler that a server has. */
const jvmArguments = ['-Xmx1g', '-Xms1g', '-XX:+UseParallelGC'];

type Comparison = { readonly name: string; readonly left: Side<Digest>; readonly right: Side<Digest> };

export const pipeline: Bench = async (report) => {
  const broker = await startKafka({ jvmArguments });
  try {
    return await compareAll(broker, report);
  } finally {
    await broker.close();
  }
};

async function compareAll(broker: KafkaBroker, report: (message: string) => void): Promise<BenchOutcome> {
  const { brokers } = broker;
  report(`filling a topic with ${messageCount} messages of ${messageBytes} bytes`);
  const input = await fillTopic(brokers, messageCount, messageBytes);
  const python = await librdkafkaPython();
  const comparisons = [...clientComparisons(brokers, input), ...(await avroComparison(brokers)), ...peerComparison(brokers, input, python)];
  const results: [string, PairsResult<Digest, Digest>][] = [];
  for (const { name, left, right } of comparisons.filter(({ name: wanted }) => isWanted(wanted))) {
    const result = await interleavedPairs({
      left,
      right,
      turnItemsMin: messageCount,
      difference: (ours, theirs) => (ours === theirs ? undefined : `${ours} and ${theirs}`),
      report: (side, turn) => report(`${name}: ${side}: ${Math.round(turn.itemsPerSecond)} messages per second, ${(turn.cpuSeconds / (turn.items / 1e6)).toFixed(2)} CPU s per million`),
    });
    results.push([name, result]);
  }
  return {
    work: `${messageCount} messages of ${messageBytes} bytes a pass, 4 partitions to 4 partitions, acks=all, one broker on the same machine`,
    ratios: Object.fromEntries(results.map(([name, { ratio }]) => [name, ratio])),
    sides: results.flatMap(([name, { left, right }]) => [left, right].map((side) => ({ ...side, name: `${name}: ${side.name}` }))),
    figures: {
      clientCpuSecondsPerMillionMessages: Object.fromEntries(
        results.map(([name, { left, right }]) => [name, { [left.name]: left.cpuSecondsPerThousandItems * 1000, [right.name]: right.cpuSecondsPerThousandItems * 1000 }]),
      ),
      recordsPerDelivery: Object.fromEntries([...deliveries].flatMap(([name, { count, records }]) => (count === 0 ? [] : [[name, records / count]]))),
      ...(python === undefined ? { noopToLibrdkafka: 'not measured: there is no Python with confluent-kafka, or no kafka_loop.py' } : {}),
    },
  };
}

/** A side that writes to a topic of its own each time, and tells what is in it. */
function side(name: string, brokers: string, input: string, pass: (plan: PassPlan) => Promise<Measured>): Side<Digest> {
  let output = '';
  return {
    name,
    prepare: async () => {
      output = await newTopic(brokers);
    },
    pass: async () => {
      const measured = await pass({ brokers, input, output, messageCount });
      return { ...measured, output: await digestOf(brokers, output) };
    },
  };
}

function clientComparisons(brokers: string, input: string): readonly Comparison[] {
  return (['kafkajs', 'platformatic'] as const).flatMap((producer) => [
    {
      name: `noopToRawLoop.${producer}`,
      left: engine(brokers, input, { producer, delivery: 'at-least-once' }),
      right: side(`bare loop, ${producer}`, brokers, input, (plan) => rawPass(plan, producer)),
    },
    // Transactions of 100 ms, and deliveries of 100 ms without them; that both were of one size is in the figures.
    {
      name: `exactlyOnceToAtLeastOnce.${producer}`,
      left: engine(brokers, input, { producer, delivery: 'exactly-once', lingerMs: 100, delivered: sizesOf(`${producer}, exactly-once`) }),
      right: engine(brokers, input, { producer, delivery: 'at-least-once', lingerMs: 100, delivered: sizesOf(`${producer}, at-least-once`) }),
    },
  ]);
}

const deliveries = new Map<string, { count: number; records: number }>();

function sizesOf(side: string): (records: number) => void {
  const sum = { count: 0, records: 0 };
  deliveries.set(side, sum);
  return (records) => {
    sum.count += 1;
    sum.records += records;
  };
}

function engine(brokers: string, input: string, options: EngineOptions): Side<Digest> {
  return side(`engine, ${options.producer}, ${options.delivery}`, brokers, input, (plan) => enginePass(plan, options));
}

async function avroComparison(brokers: string): Promise<readonly Comparison[]> {
  if (!isWanted('avroToNoop')) return [];
  const input = await avroInput(brokers, messageCount, messageBytes);
  const left = side('engine, platformatic, events decoded and encoded', brokers, input, avroPass);
  return [{ name: 'avroToNoop', left, right: engine(brokers, input, { producer: 'platformatic', delivery: 'at-least-once' }) }];
}

/** Its messages are of its own making, as many and as large: what arrives is its to count, and is not compared. */
function peerComparison(brokers: string, input: string, python: string | undefined): readonly Comparison[] {
  if (python === undefined) return [];
  const left = engine(brokers, input, { producer: 'platformatic', delivery: 'at-least-once' });
  const output: Digest = 'not compared';
  const right: Side<Digest> = {
    name: 'librdkafka, from Python',
    pass: async () => ({ ...(await librdkafkaPass(python, brokers, messageCount, messageBytes)), output }),
  };
  return [{ name: 'noopToLibrdkafka', left: { ...left, pass: async () => ({ ...(await left.pass()), output }) }, right }];
}
