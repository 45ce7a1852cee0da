/** Certificates for one test run, made by openssl: an authority, a server of localhost and 127.0.0.1, a client, and an authority that nobody trusts. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { commandThere, type Needs } from '../requirements.ts';

/** PEM texts and the files they are in. */
export type Certificate = { readonly key: string; readonly certificate: string; readonly keyPath: string; readonly certificatePath: string };

export type Certificates = {
  readonly authority: Certificate;
  readonly server: Certificate;
  readonly client: Certificate;
  readonly strangeAuthority: Certificate;
};

const run = promisify(execFile);

export function certificateNeeds(): Needs {
  return { openssl: commandThere('openssl') };
}

export async function makeCertificates(folder: string): Promise<Certificates> {
  const authority = await makeCertificate(folder, 'authority', ['basicConstraints=critical,CA:TRUE']);
  return {
    authority,
    server: await makeCertificate(folder, 'server', ['subjectAltName=DNS:localhost,IP:127.0.0.1', 'basicConstraints=CA:FALSE'], authority),
    client: await makeCertificate(folder, 'client', ['basicConstraints=CA:FALSE'], authority),
    strangeAuthority: await makeCertificate(folder, 'strange-authority', ['basicConstraints=critical,CA:TRUE']),
  };
}

async function makeCertificate(folder: string, name: string, extensions: readonly string[], signer?: Certificate): Promise<Certificate> {
  const keyPath = join(folder, `${name}.key.pem`);
  const certificatePath = join(folder, `${name}.pem`);
  const subject = ['-subj', `/O=labelstream tests/CN=${name}`, '-days', '2', ...extensions.flatMap((extension) => ['-addext', extension])];
  const signing = signer === undefined ? [] : ['-CA', signer.certificatePath, '-CAkey', signer.keyPath];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyPath];
  await run('openssl', ['req', '-x509', ...newKey, '-out', certificatePath, ...subject, ...signing]);
  return { key: await readFile(keyPath, 'utf8'), certificate: await readFile(certificatePath, 'utf8'), keyPath, certificatePath };
}
