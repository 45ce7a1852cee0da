/**
 * Azurite, the emulator of Azure Blob Storage, from npm: as a plain process that can be stopped and started. It is installed once into a cache outside the
 * repository: 374 packages of 186 MB are too much for everybody who installs this project.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimPorts } from '../brokers/ports.ts';
import { fetchedPackage } from '../fetched.ts';
import { serviceNeeds, type Needs } from '../requirements.ts';

const azuriteVersion = '3.35.0';
const accountName = 'devstoreaccount1';
const startsWithinMs = 60_000;

export type Azurite = {
  readonly account: string;
  readonly connectionString: string;
  readonly url: string;
  /** By SIGTERM: killed at once it would lose what it acknowledged, which the service that it stands for does not. */
  readonly stop: () => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** For `describeWith`. The first call on a machine installs it, which takes about a minute. */
export function azuriteNeeds(): Promise<Needs> {
  return serviceNeeds('Azurite', azuriteFolder);
}

const azuriteFolder = (): Promise<string> => fetchedPackage('azurite', azuriteVersion);

const mainFile = 'node_modules/azurite/dist/src/blob/main.js';

/** @param accountKey any, in base64. */
export async function startAzurite(accountKey: string): Promise<Azurite> {
  const main = join(await azuriteFolder(), mainFile);
  const block = await claimPorts();
  const port = block.ports[0] ?? 0;
  const location = await mkdtemp(join(tmpdir(), 'labelstream-azurite-'));
  const url = `http://127.0.0.1:${port}/${accountName}`;
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const options = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', location, '--silent', '--disableTelemetry', '--skipApiVersionCheck'];
    const environment = { PATH: process.env['PATH'], AZURITE_ACCOUNTS: `${accountName}:${accountKey}` };
    child = spawn(process.execPath, [main, ...options], { stdio: 'ignore', env: environment });
    await untilListening(port, child);
  };
  const stop = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGTERM');
    await exited;
  };
  await start();
  return {
    account: accountName,
    url,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=${url};`,
    stop,
    restart: start,
    close: async () => {
      await stop();
      await block.release();
      await rm(location, { recursive: true, force: true });
    },
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + startsWithinMs;
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`Azurite ended with ${child.exitCode}`);
    if (performance.now() > deadline) throw new Error(`Azurite did not listen within ${startsWithinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
