import { Admin } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll } from 'vitest';
import { recordLimits } from '../../src/pipeline/record-limits.ts';
import type { Transport } from '../../src/pipeline/transport.ts';
import type { KafkaOptions } from '../../src/transports/kafka/kafka-options.ts';
import { openKafkaTransport } from '../../src/transports/kafka/kafka-transport.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { apiKeys, startProxy, type KafkaProxy, type ProxiedRequest } from '../brokers/kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { kafkaOptions } from '../transports/kafka/group-fixture.ts';
import { withNamePrefix } from '../../src/transports/kafka/name-prefix.ts';
import { describeTransport } from './transport-conformance.ts';
import type { TransportHarness } from './transport-harness.ts';

const recordBytesMax = 1024 * 1024;
/** `recordBytes` counts 64 for a record's bookkeeping. */
const valueBytesMax = recordBytesMax - 64;

const options = (brokers: string, producer: KafkaOptions['producer']): KafkaOptions =>
  kafkaOptions(brokers, { clientId: 'conformance', producer, sessionTimeoutMs: 3_000, limits: recordLimits(recordBytesMax) });

/** A transaction's own records are durable when it ends; the first thing in a Produce request is the transactional id, if any. */
function isDurableStep({ apiKey, frame }: ProxiedRequest): boolean {
  if (apiKey !== apiKeys.produce) return true;
  const clientIdBytes = Math.max(0, frame.readInt16BE(8 + 4));
  return frame.readInt16BE(8 + 4 + 2 + clientIdBytes) === -1;
}

function crashing(proxy: KafkaProxy): NonNullable<TransportHarness['crash']> {
  return (step, when) => {
    let steps = 0;
    const isTheOne = (request: ProxiedRequest): boolean => isDurableStep(request) && ++steps === step;
    for (const apiKey of [apiKeys.produce, apiKeys.offsetCommit, apiKeys.endTxn]) {
      const rule = proxy.on(apiKey, { action: when === 'before' ? 'cut-before' : 'cut-after', when: isTheOne });
      void rule.reached(1).then(proxy.leaveNetwork);
    }
  };
}

/** Transactions end a moment before their records are seen: until the last stable offset is the last of all. */
async function settled(broker: KafkaBroker, prefix: string): Promise<void> {
  const admin = new Admin({ clientId: 'settled', bootstrapBrokers: [broker.brokers] });
  try {
    const names = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    const { topics } = await admin.metadata({ topics: names });
    const latest = [...topics].map(([name, { partitionsCount }]) => ({
      name,
      partitions: Array.from({ length: partitionsCount }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n })),
    }));
    const offsets = async (isolationLevel: 0 | 1): Promise<string> =>
      JSON.stringify(await admin.listOffsets({ topics: latest, isolationLevel }), (key, value: unknown) => (key === 'leaderEpoch' ? 0 : typeof value === 'bigint' ? value.toString() : value));
    while ((await offsets(0)) !== (await offsets(1)));
  } finally {
    await admin.close();
  }
}

describeWith(await kafkaNeeds(), 'Kafka', () => {
  let broker: KafkaBroker;
  let tests = 0;
  beforeAll(async () => {
    broker = await startKafka();
  });
  afterAll(() => broker.close());

  async function harness(producer: KafkaOptions['producer']): Promise<TransportHarness> {
    const prefix = `${String((tests += 1))}.`;
    const proxy = await startProxy(broker.proxyPorts);
    const transports: Transport[] = [];
    const open = async (brokers: string): Promise<Transport> => {
      transports.push(await openKafkaTransport(options(brokers, producer)));
      return withNamePrefix(transports.at(-1)!, prefix);
    };
    let crashedWhen: 'before' | 'after' = 'before';
    return {
      transport: await open(proxy.brokers),
      member: () => open(broker.brokers),
      crash: (step, when) => {
        crashedWhen = when;
        crashing(proxy)(step, when);
      },
      restart: async () => {
        // What was not ended stays open until its time-out: nothing settles that.
        if (crashedWhen === 'after') await settled(broker, prefix);
        return open(broker.brokers);
      },
      removeFirst: async ({ topic, partition }, count) => {
        const [transport] = transports;
        const { start } = await transport!.bounds({ topic: prefix + topic, partition });
        const admin = new Kafka({ clientId: 'retention', brokers: [broker.brokers], logLevel: logLevel.ERROR }).admin();
        await admin.connect();
        await admin.fetchTopicMetadata({ topics: [prefix + topic] });
        await admin.deleteTopicRecords({ topic: prefix + topic, partitions: [{ partition, offset: String(start.sequence + BigInt(count)) }] });
        await admin.disconnect();
      },
      settled: () => settled(broker, prefix),
      valueBytesMax,
      close: async () => {
        await Promise.all(transports.map((transport) => transport.close()));
        await proxy.close();
      },
    };
  }

  describeTransport('the Kafka transport, producing with kafkajs', () => harness('kafkajs'));
  describeTransport('the Kafka transport, producing with platformatic', () => harness('platformatic'));
});
