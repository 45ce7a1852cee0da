/**
 * The broker as a plain process from the published jars. It ends with the test process, whatever way that ends: a watchdog holds the other end of a pipe.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isThere } from '../fetched.ts';
import { formatArguments, type BrokerHost, type BrokerHostOptions, type RunningBroker } from './broker-host.ts';
import { fetchKafkaJars, javaCommand } from './kafka-jars.ts';

const FORMAT_JVM = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const LOG_JVM = ['-Dorg.slf4j.simpleLogger.showDateTime=true', '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn'];

const run = promisify(execFile);

export async function openProcessHost({ jvmArguments, users }: BrokerHostOptions): Promise<BrokerHost> {
  const jars = await fetchKafkaJars();
  const classPath = ['-cp', join(jars, '*')];
  const archived = (await isThere(classArchivePath(jars))) ? [`-XX:SharedArchiveFile=${classArchivePath(jars)}`] : [];
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-kafka-'));
  const propertiesPath = join(directory, 'server.properties');
  const logPath = join(directory, 'broker.log');
  let formatted = false;
  return {
    directory,
    dataDirectory: join(directory, 'data'),
    listenAddress: '127.0.0.1',
    launch: async (files) => {
      await Promise.all(files.map(({ name, content }) => writeFile(join(directory, name), content)));
      if (!formatted) {
        const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
        await run(javaCommand(), [...FORMAT_JVM, ...classPath, 'kafka.tools.StorageTool', ...formatArguments(clusterId, propertiesPath, users)]);
        formatted = true;
      }
      return launch([...archived, ...jvmArguments, ...LOG_JVM, ...classPath, 'kafka.Kafka', propertiesPath], directory, logPath);
    },
    log: () => readFile(logPath, 'utf8').catch(() => ''),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Of the classes that a broker loads: with it a start takes half the processor time. The JVM goes on without where it does not fit. */
export function classArchivePath(jars: string): string {
  return `${jars}.jsa`;
}

async function launch(javaArguments: readonly string[], directory: string, logPath: string): Promise<RunningBroker> {
  const log = await open(logPath, 'a');
  const child = spawn(javaCommand(), javaArguments, { cwd: directory, stdio: ['ignore', log.fd, log.fd] });
  const exited = once(child, 'exit');
  await Promise.all([once(child, 'spawn'), log.close()]);
  const watchdog = spawnWatchdog(child.pid!, directory);
  return {
    pid: child.pid!,
    signal: (signal) => Promise.resolve(void child.kill(signal)),
    end: async (signal) => {
      child.kill(signal);
      await exited;
      watchdog.kill('SIGKILL');
    },
    ended: () => Promise.resolve(child.exitCode?.toString() ?? child.signalCode ?? undefined),
  };
}

/** Its standard input ends when this process does; a group of its own keeps it from the terminal's signals. */
function spawnWatchdog(pid: number, directory: string): ChildProcess {
  const script = 'read -r _; kill -9 "$1"; sleep 1; rm -rf "$2"';
  const watchdog = spawn('sh', ['-c', script, 'sh', String(pid), directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  watchdog.unref();
  return watchdog;
}
