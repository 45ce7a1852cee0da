import type { Socket } from 'node:net';

/** When the connection is gone. Its peer may end it with a reset, which is no failure here, as it is to `once` of Node. */
export function untilClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => undefined).once('close', () => resolve());
  });
}
