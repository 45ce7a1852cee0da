/**
 * Where the owner of a log directory listens: a socket in the directory. Its path may not be longer than about a hundred bytes; for a
 * longer one both sides go to the temporary directory, into a folder that only the user of the log directory can have made: anybody may
 * write beside it, nobody else may pose as the owner.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logError } from '../../core/errors/log.ts';

/** sun_path has 104 bytes on macOS and the BSDs, 108 on Linux, the final zero included. */
const socketPathBytesMax = 100;

export type SocketPathOptions = { readonly platform?: NodeJS.Platform; readonly temporaryDirectory?: string };

/** The directory must exist. The same for every spelling of its path. */
export async function socketPathOf(directory: string, options: SocketPathOptions = {}): Promise<string> {
  const real = await realpath(directory);
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 24);
  if ((options.platform ?? process.platform) === 'win32') return `\\\\.\\pipe\\labelstream-${hash}`;
  const inside = join(real, 'owner.sock');
  if (Buffer.byteLength(inside) <= socketPathBytesMax) return inside;
  const { uid } = await stat(real);
  const folder = join(options.temporaryDirectory ?? tmpdir(), `labelstream-${uid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await requirePrivate(folder, uid);
  return join(folder, `${hash}.sock`);
}

async function requirePrivate(folder: string, uid: number): Promise<void> {
  const found = await lstat(folder);
  const trusted = new Set([uid, 0, process.getuid?.() ?? uid]);
  if (found.isDirectory() && trusted.has(found.uid) && (found.mode & 0o077) === 0) return;
  throw logError('LS_LOG_SOCKET_FAILED', `${folder} is not a private folder of the user of the log directory.`, { folder });
}
