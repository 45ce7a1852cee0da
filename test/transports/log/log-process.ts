/** A second process on a log directory: does what its parent tells it, one message at a time, and says how it went. */
import { randomUUID } from 'node:crypto';
import type { Transport } from '../../../src/pipeline/transport.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import { openLog } from '../../../src/transports/log/open-log.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { acquireOwnerLock, type OwnerLock } from '../../../src/transports/log/owner-lock.ts';
import { defaultLogLimits } from '../../../src/transports/log/segment-log-store.ts';
import { output, readAll, values } from '../../conformance/transport-harness.ts';

export type Command =
  | { readonly do: 'lock'; readonly directory: string }
  | { readonly do: 'unlock' }
  | { readonly do: 'open'; readonly directory: string; readonly role: 'owner-required' | 'any' }
  | { readonly do: 'append'; readonly topic: string; readonly values: readonly string[] }
  | { readonly do: 'read'; readonly topic: string }
  | { readonly do: 'close' };
export type Reply = { readonly result: unknown } | { readonly code: string; readonly message: string };

let lock: OwnerLock | undefined;
let transport: Transport | undefined;

function opened(): Transport {
  if (transport === undefined) throw new Error('The log was not opened.');
  return transport;
}

async function perform(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'lock':
      lock = await acquireOwnerLock(command.directory);
      return lock !== undefined;
    case 'unlock':
      lock?.release();
      lock = undefined;
      return null;
    case 'open': {
      const { directory, role } = command;
      const store = await openLog({
        directory, role, fileSystem: createNodeFileSystem(), clock: systemClock, newIncarnation: randomUUID, limits: defaultLogLimits, random: Math.random,
      });
      transport = createLogTransport(store);
      return null;
    }
    case 'append':
      await opened().append(command.values.map((value) => output(command.topic, 0, value)));
      return null;
    case 'read':
      return values(await readAll(opened(), { topic: command.topic, partition: 0 }));
    case 'close':
      await opened().close();
      return null;
  }
}

process.on('message', (command: Command) => {
  perform(command).then(
    (result) => process.send?.({ result }),
    (error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'none';
      process.send?.({ code, message: error instanceof Error ? error.message : String(error) });
    },
  );
});
// A parent that dies takes its children with it.
process.on('disconnect', () => process.exit());
