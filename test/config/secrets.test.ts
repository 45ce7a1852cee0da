import { expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';
import { overridableSettings } from '../../src/config/overrides.ts';

const secret = 'open-sesame';
const kafka = (password: string): string => `transport:\n  kind: kafka\n  brokers: ["b:1"]\n  sasl: { mechanism: plain, username: u, password: ${password} }\n`;

function parse(text: string, environment: Readonly<Record<string, string>> = {}, assignments: readonly string[] = []) {
  return parseConfiguration(text, { file: '/c.yaml', environment, assignments, tasks: [] });
}

/** Settings and lines; never the value. */
function warned(...parameters: Parameters<typeof parse>): readonly string[] {
  const loaded = parse(...parameters);
  if (loaded.configuration === undefined) throw new Error(JSON.stringify(loaded.mistakes));
  expect(JSON.stringify(loaded.plainSecrets)).not.toContain(secret);
  return loaded.plainSecrets.map(({ setting, line }) => `${setting}:${line ?? 'flag'}`);
}

test('every secret has a setting for a file, and a variable', () => {
  const settings = overridableSettings();
  const secrets = settings.filter((setting) => setting.secret).map(({ path }) => path.join('.'));
  expect(secrets).toEqual(['transport.sasl.password', 'state.sasToken', 'state.connectionString', 'registry.auth.basic.password', 'registry.auth.bearer.token']);
  for (const path of secrets) expect(settings.map((setting) => setting.path.join('.'))).toContain(`${path}File`);
  // What is called like a secret is one.
  for (const { path, secret: isSecret } of settings) expect(isSecret, path.join('.')).toBe(/(password|token|secret|connectionString|key)$/i.test(path.join('.')));
});

test.each<[string, string, string]>([
  ['of Kafka', kafka(secret), 'transport.sasl.password:4'],
  ['of the registry', `registry: { urls: ["http://r"], auth: { basic: { username: u, password: ${secret} } } }`, 'registry.auth.basic.password:1'],
  ['of the registry, a token', `registry: { urls: ["http://r"], auth: { bearer: { token: ${secret} } } }`, 'registry.auth.bearer.token:1'],
  ['of a container', `state: { kind: blob, containerUrl: "https://a/c", sasToken: ${secret} }`, 'state.sasToken:1'],
  ['of an account', `state: { kind: blob, container: abc, connectionString: ${secret} }`, 'state.connectionString:1'],
  ['of a container of content', `media: { containers: { photos: { containerUrl: "https://a/c", sasToken: ${secret} } } }`, 'media.containers.photos.sasToken:1'],
  ['of an account of content', `media:\n  containers:\n    photos: { container: abc, connectionString: ${secret} }`, 'media.containers.photos.connectionString:3'],
  ['in a default', kafka('"${PASSWORD:-open-sesame}"'), 'transport.sasl.password:4'],
  ['behind an anchor', `group: &a ${secret}\n${kafka('*a')}`, 'transport.sasl.password:5'],
])('a secret %s that stands in the file is warned of', (_, text, expected) => {
  expect(warned(text)).toEqual([expected]);
});

test('a secret from a variable or a file is not warned of, one on the command line is', () => {
  expect(warned(kafka('"${PASSWORD}"'), { PASSWORD: secret })).toEqual([]);
  expect(warned('state: { kind: blob, container: abc, connectionString: "AccountName=a;AccountKey=${KEY};" }', { KEY: secret })).toEqual([]);
  expect(warned(kafka('null').replace('password: null', 'passwordFile: p'))).toEqual([]);
  expect(warned('media: { containers: { photos: { containerUrl: "https://a/c", sasToken: "${TOKEN}" } } }', { TOKEN: secret })).toEqual([]);
  expect(warned('media: { containers: { photos: { containerUrl: "https://a/c", sasTokenFile: t } } }')).toEqual([]);
  const without = kafka('null').replace(', password: null', '');
  expect(warned(without, { LABELSTREAM_TRANSPORT__SASL__PASSWORD: secret })).toEqual([]);
  expect(warned(without, {}, [`transport.sasl.password=${secret}`])).toEqual(['transport.sasl.password:flag']);
});

test.each(['transport.sasl.pasword', 'transport.sasl', 'registry.auth.bearer.Token', ''])('what --set %s was to be is not repeated', (path) => {
  const { mistakes } = parse(kafka('"${P}"'), { P: 'p' }, [`${path}=${secret}`]);
  expect(mistakes).toMatchObject([{ code: 'LS_CONFIG_KEY_UNKNOWN', message: `--set ${path} names no setting that can be set so` }]);
  expect(JSON.stringify(mistakes)).not.toContain(secret);
});
