/** The peers, which are Python's: scikit-learn and incdbscan, in a process of their own, with the settings and the points of the peers' program. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Labels } from './engine.ts';
import type { PointsPlan } from './points.ts';

const program = resolve(import.meta.dirname, '../../../shared/peers/incdbscan_bench.py');
const script = resolve(import.meta.dirname, 'peers.py');

export type PeerPass = { readonly seconds: number; readonly cpuSeconds: number; readonly labels: Labels };
export type PeerWork = { readonly points: string; readonly dimensions: number; readonly eps: number; readonly minPoints: number; readonly labels: string };

export type Peers = {
  readonly writePoints: (path: string, plan: PointsPlan) => Promise<void>;
  readonly sklearn: (work: PeerWork, threads: number) => Promise<PeerPass>;
  readonly incdbscan: (work: PeerWork, batch: number) => Promise<PeerPass & { readonly lastMsPerInsert: number }>;
  readonly close: () => Promise<void>;
};

/** LABELSTREAM_BENCH_PYTHON: one that has them. A text where there is none, which says what is missing. */
export async function openPeers(): Promise<Peers | string> {
  const python = process.env['LABELSTREAM_BENCH_PYTHON'] ?? 'python3';
  try {
    await access(program);
  } catch {
    return `there is no ${program}`;
  }
  try {
    await promisify(execFile)(python, ['-c', 'import incdbscan, sklearn, numpy']);
  } catch {
    return `${python} has not got incdbscan, scikit-learn and numpy (LABELSTREAM_BENCH_PYTHON names one that has)`;
  }
  return startPeers(python);
}

function startPeers(python: string): Peers {
  const child = spawn(python, [script, program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (command: string, parameters: object): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify({ command, ...parameters })}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${python} ended before it answered ${command}`);
    return JSON.parse(value) as unknown;
  };
  const pass = async <Told extends object>(command: string, { minPoints, labels, ...work }: PeerWork, parameters: object) => {
    const told = (await ask(command, { ...work, min_points: minPoints, labels, ...parameters })) as Told;
    return { ...told, labels: await readLabels(labels) };
  };
  return {
    writePoints: async (path, { count, dimensions, data }) => {
      await ask('points', { path, count, dimensions, data });
    },
    sklearn: (work, threads) => pass<Omit<PeerPass, 'labels'>>('sklearn', work, { threads }),
    incdbscan: (work, batch) => pass<Omit<PeerPass, 'labels'> & { readonly lastMsPerInsert: number }>('incdbscan', work, { batch }),
    close: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

async function readLabels(path: string): Promise<Labels> {
  const bytes = await readFile(path);
  const count = bytes.length / 5;
  return { clusters: Int32Array.from({ length: count }, (_, index) => bytes.readInt32LE(4 * index)), cores: Uint8Array.from(bytes.subarray(4 * count)) };
}
