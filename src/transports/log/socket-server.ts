/**
 * The owner's side of the local socket: the whole log store, served to every other process on the log directory. Closing it is orderly:
 * clients are told, send nothing new, get the answers to what they sent, and end their connections; so handing the directory over loses
 * no commit and leaves none in doubt.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { logError } from '../../core/errors/log.ts';
import type { LogStore } from './log-store.ts';
import { serveConnection, type ServedConnection } from './socket-connection.ts';
import type { Goodbye } from './socket-protocol.ts';

export type LogServerOptions = {
  readonly path: string;
  /** Whether this owner keeps the directory (`run`) or hands it over when a client asks. */
  readonly keeps: boolean;
  /** A client asked for the directory; called only where `keeps` is false. */
  readonly onYield: () => void;
  /** How long `close` waits for the answers that clients still have to take. */
  readonly closeMsMax: number;
};

export type LogServer = { readonly close: (goodbye: Goodbye) => Promise<void> };

const connectionsMax = 256;

/** Call it only while holding the owner's lock: a socket left by a former owner is removed. Rejects with LS_LOG_SOCKET_FAILED. */
export async function serveLog(store: LogStore, options: LogServerOptions): Promise<LogServer> {
  const connections = new Set<ServedConnection>();
  let listening = false;
  const server = createServer((socket) => {
    // Before the mode is set, whoever connects might be anybody.
    if (!listening) {
      socket.destroy();
      return;
    }
    const connection = serveConnection(socket, store, options);
    connections.add(connection);
    void connection.ended.then(() => connections.delete(connection));
  });
  server.maxConnections = connectionsMax;
  try {
    await listen(server, options.path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw logError('LS_LOG_SOCKET_FAILED', `Listening at ${options.path} failed: ${reason}.`, { path: options.path }, { cause: error });
  }
  listening = true;
  return { close: (goodbye) => close(server, connections, goodbye, options.closeMsMax) };
}

async function listen(server: Server, path: string): Promise<void> {
  const named = process.platform === 'win32';
  if (!named) await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // An accept that fails costs that client its connection, not the owner its life.
  server.on('error', () => undefined);
  if (!named) await chmod(path, 0o600);
}

async function close(server: Server, connections: ReadonlySet<ServedConnection>, goodbye: Goodbye, closeMsMax: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const open = [...connections];
  for (const connection of open) connection.leave(goodbye);
  const impatience = setTimeout(() => {
    for (const connection of open) connection.destroy();
  }, closeMsMax);
  // Ended means more than closed: no call of a client is running in the store any more.
  await Promise.all(open.map(({ ended }) => ended));
  clearTimeout(impatience);
  await closed;
}
