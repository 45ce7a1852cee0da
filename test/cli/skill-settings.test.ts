// What the environment, and `.env` below it, say of the custom skill.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { skillSettings } from '../../src/cli/skill-settings.ts';

const settings = (environment: Readonly<Record<string, string>>, file: Readonly<Record<string, string>> = {}) => skillSettings(environment, file, [], '/work');

test('nothing said is nothing set', () => {
  expect(settings({}, { KEY: '', DEBUG: '' })).toEqual({ assignments: [], keys: {}, givers: {} });
});

test('of a key the hash is kept, for asking models alone', () => {
  const sha256 = createHash('sha256').update('secret').digest('hex');
  expect(settings({ KEY: 'secret' }, { KEY: 'other' }).keys).toEqual({ KEY: { sha256, scopes: ['predict'] } });
  expect(settings({ KEY: '' }, { KEY: 'secret' }).keys).toEqual({ KEY: { sha256, scopes: ['predict'] } });
});

test.each([['True', true], ['1', true], ['yes', true], ['False', false], ['0', false], ['express:*', false]])('DEBUG=%s', (value, isDebug) => {
  expect(settings({ DEBUG: value }).assignments).toEqual(isDebug ? ['log.level=debug'] : []);
});

test.each([
  ['labels.json', '/work/labels.json'], ['/etc/labels.json', '/etc/labels.json'], ['https://store.example/labels.json?sig=a%3D', 'https://store.example/labels.json?sig=a%3D'], ['http://store.example/l', 'http://store.example/l'],
])('labels at %s', (location, expected) => {
  expect(settings({ CLUSTER_LABELS_LOCATION: location })).toMatchObject({ assignments: [`server.skill.labels=${expected}`], givers: { 'server.skill.labels': 'CLUSTER_LABELS_LOCATION' } });
  expect(skillSettings({ CLUSTER_LABELS_LOCATION: location }, {}, ['server.skill.labels=other']).givers).toEqual({});
});
