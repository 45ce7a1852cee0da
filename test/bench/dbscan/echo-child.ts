/** A process that answers with what it is asked, fails or ends. */
import { serveCommands } from '../../../bench/dbscan/child-process.ts';

export type EchoCommands = {
  readonly echo: { readonly argument: unknown; readonly result: unknown };
  readonly fail: { readonly argument: string; readonly result: undefined };
  readonly end: { readonly argument: number; readonly result: undefined };
};

serveCommands<EchoCommands>(
  {
    echo: (argument) => Promise.resolve(argument),
    fail: (message) => Promise.reject(new Error(message)),
    end: (code) => process.exit(code),
  },
  () => Promise.resolve(),
);
