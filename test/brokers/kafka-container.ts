/**
 * The broker in a container of the official image, by testcontainers: with LABELSTREAM_TEST_KAFKA=container, or where Java or Maven is missing and a
 * container engine answers. The library is installed into the cache of the tests when it is first needed: 173 packages are too much for everybody
 * who installs this project.
 */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fetchedPackage } from '../fetched.ts';
import { formatArguments, type BrokerFile, type BrokerHost, type BrokerHostOptions, type RunningBroker } from './broker-host.ts';
import { KAFKA_VERSION } from './kafka-jars.ts';

const TESTCONTAINERS_VERSION = '12.2.0';
const DIRECTORY = '/tmp/labelstream';
const SCRIPT = 'start.sh';
const LOG_LINES = 200;
const STARTED = 'Kafka Server started';

/** What is used of testcontainers, and of dockerode under it. */
type Testcontainers = {
  readonly GenericContainer: new (image: string) => ContainerBuilder;
  readonly Wait: { readonly forLogMessage: (message: string) => unknown };
  readonly getContainerRuntimeClient: () => Promise<{ readonly container: { readonly getById: (id: string) => Container } }>;
};
type ContentToCopy = { content: string; target: string; mode?: number };
type ContainerBuilder = {
  readonly withEntrypoint: (entrypoint: string[]) => ContainerBuilder;
  readonly withEnvironment: (environment: Record<string, string>) => ContainerBuilder;
  readonly withExposedPorts: (...ports: { container: number; host: number }[]) => ContainerBuilder;
  readonly withCopyContentToContainer: (contents: ContentToCopy[]) => ContainerBuilder;
  readonly withWaitStrategy: (strategy: unknown) => ContainerBuilder;
  readonly start: () => Promise<StartedContainer>;
};
type StartedContainer = { readonly getId: () => string; readonly copyContentToContainer: (contents: ContentToCopy[]) => Promise<void> };
type Container = {
  readonly start: () => Promise<unknown>;
  readonly kill: (options: { signal: string }) => Promise<unknown>;
  readonly wait: () => Promise<unknown>;
  readonly inspect: () => Promise<{ readonly State: { readonly Running: boolean; readonly Pid: number; readonly ExitCode: number } }>;
  readonly logs: (options: { stdout: true; stderr: true; follow: false; tail: number }) => Promise<Buffer>;
  readonly remove: (options: { force: true; v: true }) => Promise<unknown>;
};

/** Throws an Error where no container engine answers. */
export async function expectContainerEngine(): Promise<void> {
  const { getContainerRuntimeClient } = await loadTestcontainers();
  await getContainerRuntimeClient();
}

export async function openContainerHost({ jvmArguments, users, ports }: BrokerHostOptions): Promise<BrokerHost> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await loadTestcontainers();
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  const format = formatArguments(clusterId, `${DIRECTORY}/server.properties`, users).map((argument) => `'${argument}'`).join(' ');
  const script = `/opt/kafka/bin/kafka-storage.sh ${format} && exec /opt/kafka/bin/kafka-server-start.sh ${DIRECTORY}/server.properties\n`;
  let started: StartedContainer | undefined;
  let container: Container | undefined;

  const create = async (files: readonly BrokerFile[]): Promise<Container> => {
    started = await new GenericContainer(`apache/kafka:${KAFKA_VERSION}`)
      .withEntrypoint(['sh', `${DIRECTORY}/${SCRIPT}`])
      .withEnvironment({ KAFKA_HEAP_OPTS: '-Xmx512m', KAFKA_JVM_PERFORMANCE_OPTS: jvmArguments.join(' ') })
      .withExposedPorts(...ports.map((port) => ({ container: port, host: port })))
      .withCopyContentToContainer([...contents(files), { content: script, target: `${DIRECTORY}/${SCRIPT}` }])
      .withWaitStrategy(Wait.forLogMessage(STARTED))
      .start();
    return (await getContainerRuntimeClient()).container.getById(started.getId());
  };
  return {
    directory: DIRECTORY,
    // The other belongs to root, who copied the files.
    dataDirectory: `${DIRECTORY}-data`,
    // Its own loopback would not be reached through the published ports.
    listenAddress: '0.0.0.0',
    launch: async (files) => {
      if (container === undefined || started === undefined) {
        container = await create(files);
      } else {
        await started.copyContentToContainer(contents(files));
        await container.start();
      }
      return runningContainer(container);
    },
    log: async () => {
      const log = await container?.logs({ stdout: true, stderr: true, follow: false, tail: LOG_LINES });
      return log?.toString() ?? '';
    },
    remove: async () => {
      await container?.remove({ force: true, v: true });
    },
  };
}

async function runningContainer(container: Container): Promise<RunningBroker> {
  const { Pid: pid } = (await container.inspect()).State;
  return {
    pid,
    signal: async (signal) => {
      await container.kill({ signal });
    },
    end: async (signal) => {
      const { Running: running } = (await container.inspect()).State;
      if (running) {
        await container.kill({ signal });
        await container.wait();
      }
    },
    ended: async () => {
      const { Running: running, ExitCode: exitCode } = (await container.inspect()).State;
      return running ? undefined : String(exitCode);
    },
  };
}

/** Readable by the user of the image, whoever that is. */
function contents(files: readonly BrokerFile[]): ContentToCopy[] {
  return files.map(({ name, content }) => ({ content, target: `${DIRECTORY}/${name}`, mode: 0o644 }));
}

async function loadTestcontainers(): Promise<Testcontainers> {
  const folder = await fetchedPackage('testcontainers', TESTCONTAINERS_VERSION);
  return createRequire(join(folder, 'package.json'))('testcontainers') as Testcontainers;
}
