/**
 * A side of a comparison in a process of its own, so that its memory and its threads are its alone: the parent asks for one thing at a time, by name,
 * and the child answers with what that gave.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** By name: what a command is given and what it gives, both fit for structured cloning. */
type Commands = Readonly<Record<string, { readonly argument: unknown; readonly result: unknown }>>;

export type Handlers<Named extends Commands> = { readonly [Name in keyof Named]: (argument: Named[Name]['argument']) => Promise<Named[Name]['result']> };

export type Child<Named extends Commands> = {
  /** Rejects with what the handler rejected with (its message), and when the process ends first. */
  readonly call: <Name extends keyof Named & string>(name: Name, argument: Named[Name]['argument']) => Promise<Named[Name]['result']>;
  readonly close: () => Promise<void>;
};

type Request = { readonly name: string; readonly argument: unknown };
type Answer = { readonly result: unknown } | { readonly failure: string };

/**
 * @param entry a module that calls `serveCommands`.
 * @param environment beside that of this process.
 * @param stderr where its standard error goes: to ours, or nowhere.
 */
export function startChild<Named extends Commands>(entry: string, environment: Readonly<Record<string, string>> = {}, stderr: 'inherit' | 'ignore' = 'inherit'): Child<Named> {
  const child = fork(entry, { serialization: 'advanced', execArgv: [], env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', stderr, 'ipc'] });
  const exited = once(child, 'exit');
  let waiting: PromiseWithResolvers<unknown> | undefined;
  child.on('message', (answer: Answer) => {
    if ('failure' in answer) waiting?.reject(new Error(answer.failure));
    else waiting?.resolve(answer.result);
  });
  void exited.then(([code, signal]) => waiting?.reject(new Error(`${entry} ended: ${String(code ?? signal)}`)));
  return {
    call: async (name, argument) => {
      if (waiting !== undefined) throw new Error(`${name} was asked before an earlier answer`);
      waiting = Promise.withResolvers<unknown>();
      try {
        child.send({ name, argument } satisfies Request, (error) => {
          if (error !== null) waiting?.reject(error);
        });
        return await waiting.promise;
      } finally {
        waiting = undefined;
      }
    },
    close: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

/** In the child: answers until the parent lets go, then `close`s and ends. */
export function serveCommands<Named extends Commands>(handlers: Handlers<Named>, close: () => Promise<void>): void {
  process.on('message', (request: Request) => void answer(handlers, request).then((told) => process.send?.(told)));
  process.on('disconnect', () => {
    void close().finally(() => process.exit());
  });
}

async function answer<Named extends Commands>(handlers: Handlers<Named>, { name, argument }: Request): Promise<Answer> {
  try {
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`There is no command ${name}`);
    return { result: await handler(argument) };
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
