// Files with secrets that are not there: told with a code, before any broker is asked.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

const transport = (settings: string): string => `transport: { kind: kafka, brokers: ["127.0.0.1:1"], ${settings} }\n`;

test.for([
  ['a password', 'sasl: { mechanism: plain, username: u, passwordFile: absent }', /absent cannot be read: ENOENT\. \[LS_KAFKA_CREDENTIALS_FILE\]/],
  ['an empty password', 'sasl: { mechanism: plain, username: u, passwordFile: empty }', /empty holds no password\. \[LS_KAFKA_CREDENTIALS_FILE\]/],
  ['a certificate', 'tls: { enabled: true, caFile: absent }', /absent cannot be read: ENOENT\. \[LS_KAFKA_CREDENTIALS_FILE\]/],
  ['an empty certificate', 'tls: { enabled: true, caFile: empty }', /empty holds no certificate\. \[LS_KAFKA_CREDENTIALS_FILE\]/],
] as const)('%s that cannot be read', async ([, settings, message]) => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'empty'), '\n');
    const { code, stderr } = await runProgram('lag', '-c', await writeConfiguration(directory, transport(settings)));
    expect(stderr).toMatch(message);
    expect(code).toBe(78);
  });
});
