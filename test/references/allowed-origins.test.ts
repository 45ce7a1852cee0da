import { expect, test } from 'vitest';
import { canonicalOrigin, createAllowedOrigins } from '../../src/references/allowed-origins.ts';

const origins = createAllowedOrigins(['https://images.example.com', 'https://cdn.example.com:8443', 'http://plain.example.com:8080', 'https://*.example.org', 'https://*.example.net:444', 'https://[2606:4700::1]', 'https://usual.example.com:443']);

test.each([
  'https://images.example.com/a', 'https://IMAGES.example.com:443/a?b', 'https://cdn.example.com:8443/', 'http://plain.example.com:8080/', 'https://a.example.org/', 'https://a.b.example.org/',
  'https://x.example.net:444/', 'https://[2606:4700:0::1]/', 'https://usual.example.com/',
])('%s is allowed', (uri) => {
  expect(origins.allows(new URL(uri))).toBe(true);
});

test.each([
  'http://images.example.com/', 'https://images.example.com:8443/', 'https://cdn.example.com/', 'http://plain.example.com/', 'https://plain.example.com:8080/', 'https://example.org/', 'https://.example.org/',
  'https://badexample.org/', 'https://a.example.org:444/', 'http://a.example.org/', 'https://a.example.org./', 'https://images.example.com./', 'https://images.example.com.evil.org/', 'https://a.example.org.evil.org/',
  'https://images.example.com@evil.org/', 'https://127.0.0.1/', 'https://x.example.net/',
])('%s is not', (uri) => {
  expect(origins.allows(new URL(uri))).toBe(false);
});

test('an origin is written in one way, and is nothing else', () => {
  expect(canonicalOrigin('https://Images.Example.com:443')).toBe('https://images.example.com');
  expect(canonicalOrigin('http://*.example.com:8080')).toBe('http://*.example.com:8080');
  for (const text of ['', 'images.example.com', 'ftp://a', 'https://a/b', 'https://a/', 'https://u@a', 'https://a?b', 'https://a.', 'https://*.127.0.0.1', 'https://*.[::1]', 'https://a b', 'https://a:99999', 'https://']) {
    expect(canonicalOrigin(text), text).toBeUndefined();
  }
});
