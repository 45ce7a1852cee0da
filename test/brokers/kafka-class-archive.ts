/** The archive of a broker's classes, written once by a broker that starts, answers and ends; see `classArchivePath`. */
import { rename, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isThere } from '../fetched.ts';
import { SMALL_JVM } from './broker-host.ts';
import { brokerProperties, propertiesText } from './kafka-configuration.ts';
import { classArchivePath, openProcessHost } from './kafka-process.ts';
import { probeBroker } from './kafka-wire.ts';
import { claimPorts } from './ports.ts';

const PROBES_MAX = 600;
const PROBE_MS = 100;

export async function makeClassArchive(jars: string): Promise<void> {
  const path = classArchivePath(jars);
  if (await isThere(path)) {
    return;
  }
  const temporary = `${path}.${process.pid}`;
  const block = await claimPorts();
  const [plaintext, controller, proxied, proxy, secured] = block.ports as [number, number, number, number, number];
  const host = await openProcessHost({ jvmArguments: [...SMALL_JVM, `-XX:ArchiveClassesAtExit=${temporary}`], users: {}, ports: [] });
  try {
    const content = propertiesText(brokerProperties(host, { plaintext, controller, proxied, proxy, secured }));
    const broker = await host.launch([{ name: 'server.properties', content }]);
    for (let probe = 0; probe < PROBES_MAX && (await broker.ended()) === undefined && !(await answers(plaintext)); probe += 1) {
      await delay(PROBE_MS);
    }
    await broker.end('SIGTERM');
    // A JVM that cannot write one has none; brokers start without it. Where two processes were at it, both files are good.
    await rename(temporary, path).catch(() => undefined);
  } finally {
    await rm(temporary, { force: true });
    await host.remove();
    await block.release();
  }
}

function answers(port: number): Promise<boolean> {
  return probeBroker(port, 1).then(
    () => true,
    () => false,
  );
}
