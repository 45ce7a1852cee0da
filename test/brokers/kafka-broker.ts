/**
 * A real Apache Kafka broker (KRaft, broker and controller in one) as a plain process that a test can kill, stop for a while and start again on the same
 * directory and ports. It ends with the test process, whatever way that ends: a watchdog holds the other end of a pipe.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeCertificates, type Certificates } from './certificates.ts';
import { fetchKafkaJars, javaCommand } from './kafka-jars.ts';
import { brokerProperties, propertiesText, securedProperties } from './kafka-configuration.ts';
import { probeBroker } from './kafka-wire.ts';
import { claimPorts } from './ports.ts';

export type KafkaBrokerOptions = {
  /** Properties of the broker, over the defaults of this file. */
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
  readonly stopProcess: () => void;
  readonly continueProcess: () => void;
  /** Starts it again on the same directory and ports; kills it first where it still runs. Resolves when it serves. Further properties stay. */
  readonly restart: (configuration?: Readonly<Record<string, string>>) => Promise<void>;
  /** The last lines of the broker's log. */
  readonly logTail: () => Promise<string>;
  /** Ends the broker and deletes its directory. */
  readonly close: () => Promise<void>;
};

const SMALL_JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const FORMAT_JVM = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const LOG_JVM = ['-Dorg.slf4j.simpleLogger.showDateTime=true', '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn'];
const START_MS_MAX = 45_000;
const PROBE_MS = 50;
const LOG_LINES = 60;

const run = promisify(execFile);

export async function startKafka(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  const jars = await fetchKafkaJars();
  const block = await claimPorts();
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-kafka-'));
  const [plaintext, controller, proxied, proxy, secured] = block.ports as [number, number, number, number, number];
  const ports = { plaintext, controller, proxied, proxy, secured };
  const { security } = options;
  let configuration = brokerProperties(directory, ports);
  let certificates: Certificates | undefined;
  const propertiesPath = join(directory, 'server.properties');
  const logPath = join(directory, 'broker.log');
  let running: RunningBroker | undefined;

  const logTail = async (): Promise<string> => (await readFile(logPath, 'utf8').catch(() => '')).split('\n').slice(-LOG_LINES).join('\n');
  const kill = async (): Promise<void> => {
    await running?.end('SIGKILL');
    running = undefined;
  };
  const close = async (): Promise<void> => {
    await kill();
    await rm(directory, { recursive: true, force: true });
    await block.release();
  };
  const start = async (): Promise<void> => {
    await writeFile(propertiesPath, propertiesText(configuration));
    running = await launch([...(options.jvmArguments ?? SMALL_JVM), ...LOG_JVM, '-cp', join(jars, '*'), 'kafka.Kafka', propertiesPath], directory, logPath);
    await untilServing(running.process, plaintext, Number(configuration['offsets.topic.num.partitions'])).catch(async (error: unknown) => {
      throw new Error(`Kafka did not start: ${String(error)}\n${await logTail()}`, { cause: error });
    });
  };
  const process = (): ChildProcess => {
    if (running === undefined) {
      throw new Error('the broker does not run');
    }
    return running.process;
  };

  try {
    if (security !== undefined) {
      certificates = await makeCertificates(directory);
      configuration = { ...configuration, ...(await securedProperties(directory, ports, certificates, security.superUsers ?? [])) };
    }
    configuration = { ...configuration, ...options.configuration };
    await writeFile(propertiesPath, propertiesText(configuration));
    await format(jars, propertiesPath, security?.users ?? {});
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
    pid: () => process().pid!,
    kill,
    shutDown: async () => {
      await running?.end('SIGTERM');
      running = undefined;
    },
    stopProcess: () => void process().kill('SIGSTOP'),
    continueProcess: () => void process().kill('SIGCONT'),
    restart: async (further = {}) => {
      await kill();
      configuration = { ...configuration, ...further };
      await start();
    },
    logTail,
    close,
  };
}

async function format(jars: string, propertiesPath: string, users: Readonly<Record<string, string>>): Promise<void> {
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  const tool = ['-cp', join(jars, '*'), 'kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId, '-c', propertiesPath];
  const credentials = Object.entries(users).flatMap(([name, password]) => ['--add-scram', `SCRAM-SHA-512=[name=${name},password=${password}]`]);
  await run(javaCommand(), [...FORMAT_JVM, ...tool, ...credentials]);
}

type RunningBroker = { readonly process: ChildProcess; readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void> };

async function launch(javaArguments: readonly string[], directory: string, logPath: string): Promise<RunningBroker> {
  const log = await open(logPath, 'a');
  const child = spawn(javaCommand(), javaArguments, { cwd: directory, stdio: ['ignore', log.fd, log.fd] });
  await Promise.all([once(child, 'spawn'), log.close()]);
  const watchdog = spawnWatchdog(child.pid!, directory);
  const ended = once(child, 'exit');
  return {
    process: child,
    end: async (signal) => {
      // The watchdog goes first: it must not shoot at a process number that has come to mean another.
      watchdog.kill('SIGKILL');
      child.kill(signal);
      await ended;
    },
  };
}

/** Its standard input ends when this process does; a group of its own keeps it from the terminal's signals. */
function spawnWatchdog(pid: number, directory: string): ChildProcess {
  const script = 'read -r _; kill -9 "$1"; sleep 1; rm -rf "$2"';
  const watchdog = spawn('sh', ['-c', script, 'sh', String(pid), directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  watchdog.unref();
  return watchdog;
}

async function untilServing(child: ChildProcess, port: number, groupPartitions: number): Promise<void> {
  const deadlineMs = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      await probeBroker(port, groupPartitions);
      return;
    } catch (error) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`, { cause: error });
      }
      if (performance.now() > deadlineMs) {
        throw error;
      }
      await delay(PROBE_MS);
    }
  }
}
