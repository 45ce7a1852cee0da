/**
 * Files that records name by the SHA-256 of their bytes (fitted projections), kept in the state store beside the snapshots: each is an entry of a
 * stage of its own, so that whatever store there is checks it, writes it durably and waits where it cannot be reached. None is ever removed.
 */
import { createHash } from 'node:crypto';
import { LabelstreamError } from '../core/errors/error.ts';
import { stateError } from '../core/errors/state.ts';
import type { SnapshotKey, StateStore } from './state-store.ts';
import { readWhole } from './stored-snapshots.ts';

const chunkBytes = 256 * 1024;
const onlySequence = 0n;

/** Resolves with its name once it is durable; what is there already stays. Rejects with LS_STATE_WRITE_FAILED. */
export async function storeArtefact(stateStore: Pick<StateStore, 'write'>, bytes: Uint8Array): Promise<string> {
  const sha256 = sha256Of(bytes);
  await stateStore.write({ ...keyOf(sha256), sequence: onlySequence, position: '' }, chunksOf(bytes));
  return sha256;
}

/** The bytes of that name. Rejects with LS_STATE_ARTEFACT_MISSING and LS_STATE_ARTEFACT_CORRUPT. */
export async function fetchArtefact(stateStore: Pick<StateStore, 'readNewest'>, sha256: string): Promise<Buffer> {
  const key = keyOf(sha256);
  let damage: Error | undefined;
  const stored = await stateStore.readNewest(key, onlySequence, readWhole, (error) => (damage = error));
  if (stored === undefined) {
    if (damage !== undefined) throw corrupt(sha256, damageIn(damage));
    throw stateError('LS_STATE_ARTEFACT_MISSING', `The state store holds no artefact ${sha256}.`, { sha256 });
  }
  if (sha256Of(stored.bytes) !== sha256) throw corrupt(sha256, 'its bytes are not those of its name');
  return stored.bytes;
}

function keyOf(sha256: string): SnapshotKey {
  return { stage: 'projections', topic: 'artefact', incarnation: sha256, partition: 0 };
}

function* chunksOf(bytes: Uint8Array): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield Buffer.from(bytes.subarray(start, start + chunkBytes));
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function corrupt(sha256: string, reason: string): Error {
  return stateError('LS_STATE_ARTEFACT_CORRUPT', `The artefact ${sha256} is damaged in the state store: ${reason}.`, { sha256 });
}

/** Not as of a snapshot, for which another one would serve. */
function damageIn(error: Error): string {
  const { path, reason } = error instanceof LabelstreamError ? error.details : {};
  return path === undefined || reason === undefined ? error.message : `of ${path}, ${reason}`;
}
