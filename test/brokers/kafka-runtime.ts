/** What brokers of the tests run on: LABELSTREAM_TEST_KAFKA says `process` or `container`; otherwise a process where it can, else a container. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BrokerHost, BrokerHostOptions } from './broker-host.ts';
import { makeClassArchive } from './kafka-class-archive.ts';
import { expectContainerEngine, openContainerHost } from './kafka-container.ts';
import { fetchKafkaJars } from './kafka-jars.ts';
import { openProcessHost } from './kafka-process.ts';

type KafkaRuntime = 'process' | 'container';

let chosen: Promise<KafkaRuntime> | undefined;

/** Fetches what it needs when it is first asked. Throws an Error that says what is missing. */
export function chooseKafkaRuntime(): Promise<KafkaRuntime> {
  chosen ??= choose(process.env['LABELSTREAM_TEST_KAFKA']);
  return chosen;
}

export async function openBrokerHost(options: BrokerHostOptions): Promise<BrokerHost> {
  return (await chooseKafkaRuntime()) === 'process' ? openProcessHost(options) : openContainerHost(options);
}

async function choose(wanted: string | undefined): Promise<KafkaRuntime> {
  switch (wanted) {
    case 'process':
      await prepareProcess();
      return 'process';
    case 'container':
      await expectContainerEngine();
      return 'container';
    case undefined:
      return processElseContainer();
    default:
      throw new Error(`LABELSTREAM_TEST_KAFKA is ${wanted}, not process or container`);
  }
}

async function processElseContainer(): Promise<KafkaRuntime> {
  try {
    await prepareProcess();
    return 'process';
  } catch (error) {
    // Asked before testcontainers is fetched for nothing.
    await promisify(execFile)('docker', ['version']).catch(() => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}, and no container engine answers`, { cause: error });
    });
    await expectContainerEngine();
    return 'container';
  }
}

async function prepareProcess(): Promise<void> {
  await makeClassArchive(await fetchKafkaJars());
}
