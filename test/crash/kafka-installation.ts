/** A broker, a proxy before it, and the instances that share the work; what a crash test over Kafka disturbs. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { forgetItems } from '../../src/clusters-of.ts';
import type { Access } from '../../src/open-access.ts';
import type { Random } from '../../src/core/clock.ts';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import { isRetryable } from '../../src/pipeline/retry.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { startProxy, type KafkaProxy } from '../brokers/kafka-proxy.ts';
import { appendParameters, group, openSilently, pipelineText, prepareWith, publishRound, type Harness } from './crash-harness.ts';
import { createInstance, type Instance } from './kafka-instance.ts';
import { checkpointsOf, type Standing } from './log-contents.ts';

export const partitionCount = 4;
export const sessionTimeoutMs = 4_500;
export const requestTimeoutMs = 4_000;
const producers = ['kafkajs', 'platformatic'] as const;
/** Both of a family of the test: what a window keeps is what a changed parameter tells anew. */
export const windowItems = 120;

export type Installation = {
  readonly broker: KafkaBroker;
  readonly proxy: KafkaProxy;
  readonly instances: readonly Instance[];
  /** The one that reaches the broker through the proxy. */
  readonly proxied: Instance;
  /** With a producer by chance. */
  readonly start: (instance: Instance) => Promise<void>;
  readonly harness: Harness;
  readonly access: Access;
  readonly standing: () => Promise<readonly Standing[]>;
  readonly close: () => Promise<void>;
};

function configurationText(delivery: Delivery, directory: string, brokers: string, producer: (typeof producers)[number]): string {
  return `
dataDirectory: ${directory}
server: { enabled: true, port: 0 }
metrics: { intervalMs: 1000 }
transport:
  kind: kafka
  brokers: ["${brokers}"]
  namePrefix: crash.
  producer: ${producer}
  partitionCount: ${partitionCount}
  sessionTimeoutMs: ${sessionTimeoutMs}
  rebalanceTimeoutMs: 12000
  heartbeatIntervalMs: 500
  transactionTimeoutMs: 10000
  requestTimeoutMs: ${requestTimeoutMs}
${pipelineText({ delivery, holdMsMax: 40, windowItems })}`;
}

/** @param directory with the state that the instances share. */
export async function openInstallation(directory: string, delivery: Delivery, instanceCount: number, random: Random): Promise<Installation> {
  const broker = await startKafka({
    configuration: { 'group.min.session.timeout.ms': '3000', 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000' },
  });
  const proxy = await startProxy(broker.proxyPorts);
  const instances = Array.from({ length: instanceCount }, (_, index) => createInstance('abcdef'[index] ?? 'x'));
  const proxied = instances[0]!;
  const textFor = (brokers: string): string => configurationText(delivery, directory, brokers, producers[Math.floor(random() * producers.length)]!);
  const harness = await prepareWith(join(directory, 'harness'), textFor(broker.brokers));
  const access = await openSilently(harness);
  await access.transport.createTopics(allTopics.map((topic) => ({ topic, partitionCount })));
  return {
    broker, proxy, instances, proxied, harness, access,
    start: async (instance) => {
      const { configurationFile } = await prepareWith(join(directory, instance.name), textFor(instance === proxied ? proxy.brokers : broker.brokers));
      instance.start(configurationFile);
    },
    standing: () => checkpointsOf(access.transport, group, [...inputTopics, topics.features]),
    close: async () => {
      await Promise.all(instances.map((instance) => instance.kill()));
      await access.close();
      await proxy.close();
      await broker.close();
    },
  };
}

export type Publisher = { readonly rounds: () => number; readonly refused: () => number; readonly stop: () => Promise<void> };

/** How much may wait before the publisher does, too: the end has to be reached some time. */
const waitingMax = 250;

/**
 * Publishes all the time. What is refused while the broker is away is not sent again: an input that got through all the same counts like any other,
 * and the next round has new ones.
 */
export function startPublisher({ access, standing }: Installation): Publisher {
  let rounds = 0;
  let refused = 0;
  let stopped = false;
  const goesOn = (): boolean => !stopped;
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => {
      if (!isRetryable(error)) throw error;
      refused += 1;
    });
  };
  const publish = async (): Promise<void> => {
    for (; goesOn(); rounds += 1) {
      const round = rounds;
      await attempt(() => publishRound(access, round, 24));
      if (round % 6 === 5) await attempt(() => appendParameters(access, round % 12 === 5 ? 0.12 : 0.25));
      if (round % 5 === 4) await attempt(() => forgetItems(access, [`demo/t${round - 1}-1`]));
      let waiting = Infinity;
      while (goesOn() && waiting > waitingMax) {
        await delay(300);
        await attempt(async () => (waiting = behind(await standing())));
      }
    }
  };
  const done = publish();
  done.catch(() => undefined);
  return {
    rounds: () => rounds,
    refused: () => refused,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

export function behind(standing: readonly Standing[]): number {
  return standing.reduce((sum, place) => sum + place.behind, 0);
}

/** Everything is handled, what was parked meanwhile and what EXTRACT gave to CLUSTER included; rejects after `msMax`. */
export async function untilConsumed({ standing, instances }: Installation, msMax: number): Promise<void> {
  const deadlineMs = performance.now() + msMax;
  for (let quiet = 0; quiet < 2; ) {
    for (const instance of instances) instance.endedByItself();
    const places = await standing();
    quiet = behind(places) === 0 ? quiet + 1 : 0;
    if (performance.now() > deadlineMs) {
      const late = places.filter((place) => place.behind > 0).map(({ topic, partition, behind: records }) => `${topic}-${partition}: ${records}`);
      const told = instances.map((instance) => `--- ${instance.name}:\n${instance.outputOfThisLife().slice(-4_000)}`);
      throw new Error(`not consumed after ${msMax} ms: ${late.join(', ')}\n${told.join('\n')}`);
    }
    await delay(300);
  }
}
