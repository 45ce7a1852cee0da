/** Certificate and private key of the server. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { serverError } from '../core/errors/server.ts';

export type ServerTls = { readonly certificate: string; readonly privateKey: string };

/** Rejects with LS_SERVER_TLS where a file cannot be read, or both are not of each other. */
export async function readServerTls({ certificateFile, privateKeyFile }: { readonly certificateFile: string; readonly privateKeyFile: string }): Promise<ServerTls> {
  try {
    const [certificate, privateKey] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(privateKeyFile, 'utf8')]);
    createSecureContext({ cert: certificate, key: privateKey });
    return { certificate, privateKey };
  } catch (error) {
    throw serverError('LS_SERVER_TLS', `${certificateFile} and ${privateKeyFile} cannot be used: ${(error as Error).message}`, { certificateFile, privateKeyFile }, { cause: error });
  }
}
