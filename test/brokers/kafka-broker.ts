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
import { fetchKafkaJars, javaCommand } from './kafka-jars.ts';
import { probeBroker } from './kafka-wire.ts';
import { claimPorts } from './ports.ts';

export type KafkaBrokerOptions = {
  /** Properties of the broker, over the defaults of this file. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** Arguments of the JVM: small and quick to start by default; a bench gives its own. */
  readonly jvmArguments?: readonly string[];
};

export type KafkaBroker = {
  /** host:port of the plaintext listener, where everyone may do everything. */
  readonly brokers: string;
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
  const [plaintext, controller] = block.ports as [number, number];
  let configuration = { ...defaultConfiguration(directory, plaintext, controller), ...options.configuration };
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
    const propertiesPath = await writeProperties(directory, configuration);
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
    await format(jars, await writeProperties(directory, configuration));
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    brokers: `127.0.0.1:${plaintext}`,
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

function defaultConfiguration(directory: string, plaintext: number, controller: number): Readonly<Record<string, string>> {
  const listeners = `PLAINTEXT://127.0.0.1:${plaintext},CONTROLLER://127.0.0.1:${controller}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controller}`,
    listeners,
    'advertised.listeners': listeners,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(directory, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // After SIGKILL the controller takes the broker back only when the session of its former life is over.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    // A broker alone; few partitions of the internal topics make it start, and start again, much sooner.
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // A quarter of the small heap by default.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
  };
}

async function writeProperties(directory: string, configuration: Readonly<Record<string, string>>): Promise<string> {
  const path = join(directory, 'server.properties');
  await writeFile(path, Object.entries(configuration).map(([key, value]) => `${key}=${value}\n`).join(''));
  return path;
}

async function format(jars: string, propertiesPath: string): Promise<void> {
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  const tool = ['-cp', join(jars, '*'), 'kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId, '-c', propertiesPath];
  await run(javaCommand(), [...FORMAT_JVM, ...tool]);
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
