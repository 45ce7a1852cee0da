/**
 * Uploads bytes as the blocks of one blob, a few at a time. Nobody sees any of them before the commit, which names them all: an upload that
 * breaks off leaves nothing under the name.
 */
import { randomBytes } from 'node:crypto';
import type { FileHandle } from '../pipeline/file-system.ts';

export type BlockUploadOptions = {
  readonly blockBytes: number;
  readonly blocksInFlightMax: number;
  readonly stage: (blockId: string, data: Buffer) => Promise<void>;
};

export type BlockUpload = Pick<FileHandle, 'write'> & {
  /** Resolves with the ids of all blocks once all are staged. */
  readonly finish: () => Promise<readonly string[]>;
};

export function createBlockUpload({ blockBytes, blocksInFlightMax, stage }: BlockUploadOptions): BlockUpload {
  // Two writers of one name, one of them a zombie, stage blocks side by side: each commits its own.
  const upload = randomBytes(12).toString('hex');
  const blockIds: string[] = [];
  const inFlight = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const throwIfFailed = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const settle = async (blocksMax: number): Promise<void> => {
    while (inFlight.size > blocksMax) await Promise.race(inFlight);
    throwIfFailed();
  };
  const send = async (data: Buffer): Promise<void> => {
    await settle(blocksInFlightMax - 1);
    const blockId = Buffer.from(`${upload}-${String(blockIds.length).padStart(6, '0')}`).toString('base64');
    blockIds.push(blockId);
    const sending = stage(blockId, data)
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
  };
  /** Whole blocks; the rest stays for the next ones, unless it is the last. */
  const sendPending = async (isLast: boolean): Promise<void> => {
    const bytes = Buffer.concat(pending);
    let sent = 0;
    for (; bytes.length - sent >= blockBytes || (isLast && sent < bytes.length); sent += blockBytes) await send(bytes.subarray(sent, sent + blockBytes));
    pending = sent < bytes.length ? [Buffer.from(bytes.subarray(sent))] : [];
    pendingBytes = Math.max(0, bytes.length - sent);
  };
  return {
    write: async (data) => {
      throwIfFailed();
      // Whoever writes may use the memory again.
      pending.push(Buffer.from(data));
      pendingBytes += data.length;
      if (pendingBytes >= blockBytes) await sendPending(false);
    },
    finish: async () => {
      await sendPending(true);
      await settle(0);
      return blockIds;
    },
  };
}
