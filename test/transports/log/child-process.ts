/** Starts log-process.ts and talks to it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Command, Reply } from './log-process.ts';

export type LogProcess = {
  readonly pid: number;
  /** Resolves with the result, or with the code of the error. */
  readonly tell: (command: Command) => Promise<unknown>;
  /** kill -9; resolves when the process is gone. */
  readonly kill: () => Promise<void>;
};

export function startLogProcess(): LogProcess {
  const child = fork(fileURLToPath(new URL('./log-process.ts', import.meta.url)), { execArgv: [] });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return {
    pid: child.pid!,
    tell: async (command) => {
      const replied = once(child, 'message');
      child.send(command);
      const [reply] = (await Promise.race([replied, exited])) as [Reply | number | null];
      if (typeof reply !== 'object' || reply === null) throw new Error('The process ended instead of replying.');
      return 'code' in reply ? reply.code : reply.result;
    },
    kill,
  };
}
