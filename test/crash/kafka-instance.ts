/**
 * One of the instances that share the work: the real program, started again and again with a configuration of its own. It may end by itself only
 * where a supervisor would start it again: because no broker could be reached, or none answered, when it started.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repository } from './crash-harness.ts';
import type { Memory } from './memory-gauge.ts';

export type Instance = {
  readonly name: string;
  readonly start: (configurationFile: string) => void;
  /** False, too, where it ended by itself. */
  readonly isRunning: () => boolean;
  /** Of this life; throws where there never was one. */
  readonly pid: () => number;
  /** Whether this life of it came so far as to work. */
  readonly isWorking: () => boolean;
  /** Until it works, or the time is over. */
  readonly working: (msMax: number) => Promise<boolean>;
  readonly kill: () => Promise<void>;
  readonly stopProcess: () => void;
  readonly continueProcess: () => void;
  /** SIGTERM: it must finish what it has, and end with 0. */
  readonly leave: () => Promise<void>;
  /** Of Prometheus, summed over labels; undefined where it does not answer. */
  readonly metric: (name: string, label?: string) => Promise<number | undefined>;
  /** After its garbage was collected. */
  readonly memory: () => Promise<Memory>;
  /** Whatever it has said in all its lives. */
  readonly output: () => string;
  /** Since its last start. */
  readonly outputOfThisLife: () => string;
  /** Throws where it ended as it must not; otherwise how often it ended by itself. */
  readonly endedByItself: () => number;
};

type Life = { readonly child: ChildProcess; readonly from: number; readonly closed: Promise<Exit>; exit: Exit | undefined; expected: boolean };
type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

const leavingMsMax = 60_000;
const memoryMsMax = 30_000;
const tailLength = 6_000;
const gauge = ['--expose-gc', '--import', join(repository, 'test/crash/memory-gauge.ts')];

export function createInstance(name: string, { isGauged = false }: { readonly isGauged?: boolean } = {}): Instance {
  let output = '';
  let life: Life | undefined;
  let ownEnds = 0;
  const faults: string[] = [];

  const ofThisLife = (): string => output.slice(life?.from ?? output.length);
  const start = (configurationFile: string): void => {
    const program = [join(repository, 'src/main.ts'), 'run', '-c', configurationFile];
    const child = spawn(process.execPath, isGauged ? [...gauge, ...program] : program, { stdio: ['ignore', 'ignore', 'pipe', ...(isGauged ? (['ipc'] as const) : [])] });
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const closed = new Promise<Exit>((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
    const started: Life = { child, from: output.length, closed, exit: undefined, expected: false };
    life = started;
    void closed.then((exit) => {
      started.exit = exit;
      if (started.expected) return;
      const said = output.slice(started.from);
      if (!said.includes('"msg":"running"') && /LS_KAFKA_(UNREACHABLE|REQUEST)\]/.test(said)) ownEnds += 1;
      else faults.push(`${name} ended by itself with ${exit.code ?? exit.signal ?? 'nothing'}: ${said.slice(-tailLength)}`);
    });
  };
  const isRunning = (): boolean => life !== undefined && life.exit === undefined;
  const isWorking = (): boolean => isRunning() && ofThisLife().includes('"msg":"running"');
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<Exit | undefined> => {
    if (life === undefined || life.exit !== undefined) return undefined;
    life.expected = true;
    life.child.kill(signal);
    return life.closed;
  };
  return {
    name,
    start,
    pid: () => {
      if (life?.child.pid === undefined) throw new Error(`${name} was never started`);
      return life.child.pid;
    },
    isRunning,
    isWorking,
    working: async (msMax) => {
      const deadlineMs = performance.now() + msMax;
      while (!isWorking() && isRunning() && performance.now() < deadlineMs) await delay(50);
      return isWorking();
    },
    kill: async () => {
      await end('SIGKILL');
    },
    stopProcess: () => void life?.child.kill('SIGSTOP'),
    continueProcess: () => void life?.child.kill('SIGCONT'),
    leave: async () => {
      const exit = await Promise.race([end('SIGTERM'), delay(leavingMsMax, 'late' as const, { ref: false })]);
      if (exit === undefined) return;
      if (exit === 'late' || exit.code !== 0) throw new Error(`${name} did not leave in order (${JSON.stringify(exit)}): ${ofThisLife().slice(-tailLength)}`);
    },
    metric: async (metric, label = '') => {
      const url = /"url":"([^"]+)".*"msg":"running"/.exec(ofThisLife())?.[1];
      if (url === undefined || !isRunning()) return undefined;
      const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).then((answer) => answer.text(), () => undefined);
      return text === undefined ? undefined : sumOf(text, metric, label);
    },
    memory: async () => {
      if (life === undefined) throw new Error(`${name} was never started`);
      const answer = once(life.child, 'message', { signal: AbortSignal.timeout(memoryMsMax) });
      life.child.send('measure');
      const [memory] = (await answer) as [Memory];
      return memory;
    },
    output: () => output,
    outputOfThisLife: ofThisLife,
    endedByItself: () => {
      if (faults.length > 0) throw new Error(faults.join('\n'));
      return ownEnds;
    },
  };
}

function sumOf(text: string, metric: string, label: string): number {
  return text
    .split('\n')
    .filter((line) => (line.startsWith(`${metric}{`) || line.startsWith(`${metric} `)) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
