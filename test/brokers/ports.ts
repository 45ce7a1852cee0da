/**
 * Blocks of free ports on 127.0.0.1 that stay the owner's over the restarts of its broker. Below the range that the system gives to outgoing connections,
 * so that none takes a port while the broker is down. The first port of a block is its guard: this process listens there for as long as it owns the
 * block, and so another test process looks elsewhere; the system frees it whatever way this process ends.
 */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

export type PortBlock = { readonly ports: readonly number[]; readonly release: () => Promise<void> };

const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const PORTS_PER_BLOCK = 8;
const ATTEMPTS_MAX = 200;

export async function claimPorts(): Promise<PortBlock> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const first = PORT_MIN + randomInt((PORT_MAX - PORT_MIN) / PORTS_PER_BLOCK) * PORTS_PER_BLOCK;
    const guard = await listen(first);
    if (guard !== undefined) {
      const ports = Array.from({ length: PORTS_PER_BLOCK - 1 }, (_, index) => first + 1 + index);
      if (await areFree(ports)) {
        guard.unref();
        return { ports, release: () => closeServer(guard) };
      }
      await closeServer(guard);
    }
  }
  throw new Error(`no block of ${PORTS_PER_BLOCK} free ports between ${PORT_MIN} and ${PORT_MAX}`);
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const servers = await Promise.all(ports.map((port) => listen(port)));
  await Promise.all(servers.map((server) => (server === undefined ? Promise.resolve() : closeServer(server))));
  return servers.every((server) => server !== undefined);
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
