import { describe, expect, test } from 'vitest';
import { parseConfiguration, type LoadedConfiguration } from '../../src/config/load.ts';

function parse(text: string, environment: Readonly<Record<string, string>> = {}): LoadedConfiguration {
  return parseConfiguration(text, { file: '/etc/labelstream/config.yaml', environment, assignments: [], tasks: [] });
}

const withRegistry = (settings: string): LoadedConfiguration => parse(`registry: { urls: [https://registry.example:8081/path], ${settings} }`);

test('without it there is none, and with an address alone values of both formats are read', () => {
  expect(parse('').configuration?.registry).toBeUndefined();
  expect(withRegistry('').configuration?.registry).toEqual({
    urls: ['https://registry.example:8081/path'], auth: {}, tls: {}, subjectStrategy: 'topic-record', encode: 'single-object', registerSchemas: false,
    requestTimeoutMs: 10_000, cacheSchemasMax: 1000, negativeCacheMs: 60_000,
  });
});

test('files are found from the configuration, secrets in the environment', () => {
  const settings = 'auth: { basic: { username: me, passwordFile: secrets/password } }, tls: { caFile: ca.pem, certificateFile: /own/client.pem, keyFile: client.key }';
  expect(withRegistry(settings).configuration?.registry).toMatchObject({
    auth: { basic: { username: 'me', passwordFile: '/etc/labelstream/secrets/password' } },
    tls: { caFile: '/etc/labelstream/ca.pem', certificateFile: '/own/client.pem', keyFile: '/etc/labelstream/client.key' },
  });
  expect(withRegistry('auth: { bearer: { tokenFile: token } }').configuration?.registry?.auth.bearer).toEqual({ tokenFile: '/etc/labelstream/token' });
  const { configuration } = parse('registry: { urls: [http://r] }', { LABELSTREAM_REGISTRY__AUTH__BEARER__TOKEN: 'secret', LABELSTREAM_REGISTRY__ENCODE: 'confluent' });
  expect(configuration?.registry).toMatchObject({ auth: { bearer: { token: 'secret' } }, encode: 'confluent' });
});

describe('what contradicts itself is refused, with the setting and a remedy', () => {
  test.each<[string, string, string, string]>([
    ['one schema per topic, to be written', 'subjectStrategy: topic, encode: confluent', 'registry.subjectStrategy', 'the topic features holds two, which registry.encode: confluent'],
    ['one schema per topic, to be registered', 'subjectStrategy: topic, registerSchemas: true', 'registry.subjectStrategy', 'which registry.registerSchemas: true'],
    ['two ways to say who one is', 'auth: { basic: { username: a, password: b }, bearer: { token: c } }', 'registry.auth', 'both basic and bearer'],
    ['a user without password', 'auth: { basic: { username: a } }', 'registry.auth.basic', 'needs password or passwordFile'],
    ['a user with two', 'auth: { basic: { username: a, password: b, passwordFile: c } }', 'registry.auth.basic', 'and not both'],
    ['no token', 'auth: { bearer: {} }', 'registry.auth.bearer', 'needs token or tokenFile'],
    ['a certificate without key', 'tls: { certificateFile: a }', 'registry.tls', 'need each other'],
  ])('%s', (_, settings, path, message) => {
    const { mistakes } = withRegistry(settings);
    expect(mistakes.map((mistake) => mistake.path.join('.'))).toEqual([path]);
    expect(mistakes[0]).toMatchObject({ code: 'LS_CONFIG_COMBINATION', line: 1, message: expect.stringContaining(message) as string, remedy: expect.stringMatching(/\.$/) as string });
  });

  test('certificates for addresses without encryption', () => {
    expect(parse('registry: { urls: [https://a, http://b], tls: { caFile: ca.pem } }').mistakes[0]?.message).toContain('not every one of registry.urls begins with https:');
  });

  test('by one schema per topic nothing is hindered where it is only read', () => {
    expect(withRegistry('subjectStrategy: topic').mistakes).toEqual([]);
  });
});

test.each(['ftp://registry', 'registry:8081', 'https://user:password@registry', 'https://registry/?token=secret', 'https://registry#a', 'https://'])('%s is no address, and not repeated', (url) => {
  const { mistakes } = parse(`registry: { urls: ["${url}"] }`);
  expect(mistakes).toMatchObject([{ code: 'LS_CONFIG_VALUE', path: ['registry', 'urls', 0] }]);
  expect(mistakes[0]?.message).not.toMatch(/password|secret/);
});
