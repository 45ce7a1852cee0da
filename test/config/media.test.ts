import { expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';

function parse(media: string) {
  return parseConfiguration(`media: ${media}`, { file: '/etc/labelstream/c.yaml', environment: {}, assignments: [], tasks: [] });
}

test('nothing is fetched by default, and nothing private is opened', () => {
  const { configuration } = parse('{}');
  expect(configuration?.media).toMatchObject({ directories: [], origins: [], containers: {}, fetch: { allowPrivateAddresses: [], redirectsMax: 3 } });
});

test('what is allowed is kept, files are looked for beside the configuration', () => {
  const loaded = parse(`
  origins: [https://images.example.com, "https://images.example.com:8443", "http://10.1.2.3:8080", "https://*.example.org", "https://[fd00::1]"]
  containers:
    photos: { containerUrl: "https://shop.blob.core.windows.net/photos", sasTokenFile: photos.sas }
    emulator: { connectionStringFile: azurite, container: images }
  fetch: { allowPrivateAddresses: [10.1.0.0/16, "::1", fd00::/48], caFile: ca.pem }`);
  expect(loaded.mistakes).toEqual([]);
  expect(loaded.configuration?.media).toMatchObject({
    containers: { photos: { sasTokenFile: '/etc/labelstream/photos.sas' }, emulator: { connectionStringFile: '/etc/labelstream/azurite' } },
    fetch: { caFile: '/etc/labelstream/ca.pem' },
  });
});

test.each([
  ['{ origins: [images.example.com] }', 'media.origins[0]'],
  ['{ origins: ["https://images.example.com/"] }', 'media.origins[0]'],
  ['{ origins: ["https://Images.example.com"] }', 'media.origins[0]'],
  ['{ origins: ["https://user@images.example.com"] }', 'media.origins[0]'],
  ['{ origins: ["https://*"] }', 'media.origins[0]'],
  ['{ origins: ["https://a.*.example.com"] }', 'media.origins[0]'],
  ['{ origins: ["ftp://images.example.com"] }', 'media.origins[0]'],
  ['{ origins: ["https://images.example.com."] }', 'media.origins[0]'],
  ['{ origins: ["https://images.example.com:99999"] }', 'media.origins[0]'],
  ['{ origins: ["https://[::zz]"] }', 'media.origins[0]'],
  ['{ origins: ["https://*.127.0.0.1"] }', 'media.origins[0]'],
  ['{ origins: ["https://127.1"] }', 'media.origins[0]'],
  ['{ origins: ["https://2130706433"] }', 'media.origins[0]'],
  ['{ origins: ["https://a.example.com", "https://a.example.com"] }', 'media.origins[1]'],
  ['{ origins: ["https://a.example.com"], fetch: { allowPrivateAddresses: [localhost] } }', 'media.fetch.allowPrivateAddresses[0]'],
  ['{ origins: ["https://a.example.com"], fetch: { allowPrivateAddresses: [10.0.0.0/33] } }', 'media.fetch.allowPrivateAddresses[0]'],
  ['{ origins: ["https://a.example.com"], fetch: { allowPrivateAddresses: [10.0.0] } }', 'media.fetch.allowPrivateAddresses[0]'],
  ['{ fetch: { allowPrivateAddresses: [10.0.0.0/8] } }', 'media.fetch.allowPrivateAddresses'],
  ['{ fetch: { requestsMax: 2, requestsPerHostMax: 3 } }', 'media.fetch.requestsPerHostMax'],
  ['{ fetch: { totalMsMax: 1000 } }', 'media.fetch.idleMsMax'],
  ['{ origins: ["http://a.example.com"], fetch: { caFile: ca.pem } }', 'media.fetch.caFile'],
  ['{ containers: { photos: {} } }', 'media.containers.photos'],
  ['{ containers: { photos: { containerUrl: "http://shop.example.com/photos" } } }', 'media.containers.photos.containerUrl'],
  ['{ containers: { photos: { containerUrl: "https://shop.blob.core.windows.net/photos?sig=x" } } }', 'media.containers.photos.containerUrl'],
  ['{ containers: { photos: { containerUrl: "https://a/photos", sasToken: a, sasTokenFile: b } } }', 'media.containers.photos'],
  ['{ containers: { photos: { connectionString: a } } }', 'media.containers.photos'],
  ['{ containers: { Photos: { containerUrl: "https://a/photos" } } }', 'media.containers.Photos'],
])('%s is a mistake of %s', (media, path) => {
  const { mistakes } = parse(media);
  expect(mistakes.map((mistake) => mistake.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('').slice(1))).toEqual([path]);
  for (const { remedy } of mistakes) expect(remedy).not.toBe('');
});
