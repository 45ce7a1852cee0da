/**
 * API keys: what a client sends, of which only the SHA-256 is kept. A key has 256 random bits, so that, unlike a password's, its hash needs no
 * salt and no slow function.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ApiScope } from '../core/api-scopes.ts';

export type ApiKey = {
  readonly name: string;
  /** Of the key, as 64 hexadecimal digits. */
  readonly sha256: string;
  readonly scopes: readonly ApiScope[];
  readonly requestsPerMinuteMax?: number | undefined;
};

const beyondAscii = /[\u0080-\u00ff]/;
const keyBytes = 32;
const prefix = 'ls_';

export type NewKey = { readonly key: string; readonly sha256: string };

export function createKey(): NewKey {
  const key = prefix + randomBytes(keyBytes).toString('base64url');
  return { key, sha256: sha256OfKey(key) };
}

/** What a configuration says of a key: as 64 hexadecimal digits. */
export function sha256OfKey(key: string): string {
  return hashOf(key).toString('hex');
}

export type KeyRing = {
  readonly isEmpty: boolean;
  /** @param header as Node reads it: a character for each byte. */
  readonly find: (header: string) => ApiKey | undefined;
};

/** Takes as long whichever key is asked for, and whether there is one. */
export function createKeyRing(keys: readonly ApiKey[]): KeyRing {
  const hashes = keys.map((key) => ({ key, hash: Buffer.from(key.sha256, 'hex') }));
  const withHash = (hash: Buffer): ApiKey | undefined => {
    let found: ApiKey | undefined;
    for (const each of hashes) if (timingSafeEqual(each.hash, hash)) found = each.key;
    return found;
  };
  return {
    isEmpty: keys.length === 0,
    find: (header) => {
      // Clients send what is beyond ASCII as UTF-8 or as Latin-1.
      return withHash(hashOf(header)) ?? (beyondAscii.test(header) ? withHash(hashOf(Buffer.from(header, 'latin1'))) : undefined);
    },
  };
}

function hashOf(key: string | Buffer): Buffer {
  return hash('sha256', key, 'buffer');
}
