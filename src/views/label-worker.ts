/** The entry of the thread that has the view's file: what reads and writes it, and waits for the disk, is not the main loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { openLabelDatabase, type LabelDatabase } from './label-database.ts';
import type { StoreMessage, StoreReply, StoreSetup } from './label-store.ts';
import { isDamage } from './label-tables.ts';

function serve(setup: StoreSetup, answer: (reply: StoreReply) => void): (message: StoreMessage) => void {
  let database: LabelDatabase | undefined;
  const open = (): LabelDatabase => (database ??= openLabelDatabase(setup));
  const perform = (message: StoreMessage): unknown => {
    switch (message.kind) {
      case 'open':
        return open().standing();
      case 'apply':
        open().apply(message.batch);
        return undefined;
      case 'built':
        open().setBuilt();
        return undefined;
      case 'find':
        return open().find(message.wanted);
      case 'clear':
        database?.remove();
        database = undefined;
        return open().standing();
      case 'close':
        database?.close();
        database = undefined;
        return undefined;
    }
  };
  return (message) => {
    try {
      answer({ id: message.id, value: perform(message) });
    } catch (error) {
      answer({ id: message.id, failure: { message: error instanceof Error ? error.message : String(error), isDamaged: isDamage(error) } });
    }
  };
}

const port = parentPort;
if (port !== null) {
  const take = serve(workerData as StoreSetup, (reply) => port.postMessage(reply));
  port.on('message', (message: StoreMessage) => {
    take(message);
    if (message.kind === 'close') port.close();
  });
}
