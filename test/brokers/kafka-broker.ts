/**
 * A real Apache Kafka broker (KRaft, broker and controller in one) that a test can kill, stop for a while and start again on the same directory and ports:
 * a plain process, or a container where there is no Java. It ends with the test process.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SMALL_JVM, type BrokerFile, type RunningBroker } from './broker-host.ts';
import { makeCertificates, type Certificates } from './certificates.ts';
import { brokerProperties, propertiesText, securedProperties } from './kafka-configuration.ts';
import { openBrokerHost } from './kafka-runtime.ts';
import { probeBroker } from './kafka-wire.ts';
import { claimPorts } from './ports.ts';

export type KafkaBrokerOptions = {
  /** Properties of the broker, over the defaults of kafka-configuration.ts. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** Arguments of the JVM: small and quick to start by default; a bench gives its own. */
  readonly jvmArguments?: readonly string[];
  /** Adds a SASL_SSL listener (SCRAM-SHA-512) with generated certificates, and ACLs: see `grant`. Needs openssl. */
  readonly security?: KafkaSecurity;
};

export type KafkaSecurity = {
  /** Name to password. */
  readonly users: Readonly<Record<string, string>>;
  /** The users that no ACL binds. */
  readonly superUsers?: readonly string[];
};

export type KafkaBroker = {
  /** host:port of the plaintext listener, where everyone may do everything. */
  readonly brokers: string;
  /** host:port of the SASL_SSL listener, and the certificates of this broker. Throws for a broker without `security`. */
  readonly secured: () => { readonly brokers: string; readonly certificates: Certificates };
  /** For `startProxy`: where clients are told to connect when they come through the proxy, and where the broker listens for them. */
  readonly proxyPorts: { readonly listen: number; readonly target: number };
  /** Of the process that runs now. */
  readonly pid: () => number;
  /** SIGKILL; resolves when the process is gone. */
  readonly kill: () => Promise<void>;
  /** SIGTERM: a clean end; resolves when the process is gone. */
  readonly shutDown: () => Promise<void>;
  /** SIGSTOP: the broker keeps its connections and answers nothing. */
  readonly stopProcess: () => Promise<void>;
  readonly continueProcess: () => Promise<void>;
  /** Starts it again on the same directory and ports; kills it first where it still runs. Resolves when it serves. Further properties stay. */
  readonly restart: (configuration?: Readonly<Record<string, string>>) => Promise<void>;
  /** The last lines of the broker's log. */
  readonly logTail: () => Promise<string>;
  /** Ends the broker and deletes its directory. */
  readonly close: () => Promise<void>;
};

const START_MS_MAX = 45_000;
const PROBE_MS = 50;
const LOG_LINES = 60;

export async function startKafka(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  const { security, jvmArguments = SMALL_JVM } = options;
  const block = await claimPorts();
  const [plaintext, controller, proxied, proxy, secured] = block.ports as [number, number, number, number, number];
  const ports = { plaintext, controller, proxied, proxy, secured };
  const host = await openBrokerHost({ jvmArguments, users: security?.users ?? {}, ports: [plaintext, proxied, secured] });
  let configuration = brokerProperties(host, ports);
  let files: readonly BrokerFile[] = [];
  let certificates: Certificates | undefined;
  let running: RunningBroker | undefined;

  const logTail = async (): Promise<string> => (await host.log()).split('\n').slice(-LOG_LINES).join('\n');
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    await running?.end(signal);
    running = undefined;
  };
  const close = async (): Promise<void> => {
    await end('SIGKILL');
    await host.remove();
    await block.release();
  };
  const start = async (): Promise<void> => {
    try {
      running = await host.launch([...files, { name: 'server.properties', content: propertiesText(configuration) }]);
      await untilServing(running, plaintext, Number(configuration['offsets.topic.num.partitions']));
    } catch (error) {
      throw new Error(`Kafka did not start: ${String(error)}\n${await logTail()}`, { cause: error });
    }
  };
  const theRunning = (): RunningBroker => {
    if (running === undefined) {
      throw new Error('the broker does not run');
    }
    return running;
  };

  try {
    if (security !== undefined) {
      certificates = await makeCertificatesInMemory();
      const added = securedProperties(host, ports, certificates, security.superUsers ?? []);
      configuration = { ...configuration, ...added.properties };
      files = added.files;
    }
    configuration = { ...configuration, ...options.configuration };
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    brokers: `127.0.0.1:${plaintext}`,
    secured: () => {
      if (certificates === undefined) {
        throw new Error('the broker was started without security');
      }
      return { brokers: `localhost:${secured}`, certificates };
    },
    proxyPorts: { listen: proxy, target: proxied },
    pid: () => theRunning().pid,
    kill: () => end('SIGKILL'),
    shutDown: () => end('SIGTERM'),
    stopProcess: () => theRunning().signal('SIGSTOP'),
    continueProcess: () => theRunning().signal('SIGCONT'),
    restart: async (further = {}) => {
      await end('SIGKILL');
      configuration = { ...configuration, ...further };
      await start();
    },
    logTail,
    close,
  };
}

async function makeCertificatesInMemory(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'labelstream-certificates-'));
  try {
    return await makeCertificates(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function untilServing(broker: RunningBroker, port: number, groupPartitions: number): Promise<void> {
  const deadlineMs = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      await probeBroker(port, groupPartitions);
      return;
    } catch (error) {
      const ended = await broker.ended();
      if (ended !== undefined) {
        throw new Error(`it ended with ${ended}`, { cause: error });
      }
      if (performance.now() > deadlineMs) {
        throw error;
      }
      await delay(PROBE_MS);
    }
  }
}
