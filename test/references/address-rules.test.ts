import { describe, expect, test } from 'vitest';
import { createAddressRules } from '../../src/references/address-rules.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';

const closed = createAddressRules([]);

const publicAddresses = ['1.1.1.1', '8.8.8.8', '93.184.216.34', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255', '223.255.255.255', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e', '2001:200::1', '2003::1'];

const specialAddresses = [
  '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255',
  '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255',
  '168.63.129.16', '100.100.100.200',
  '::', '::1', '::127.0.0.1', '::8.8.8.8', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:a9fe:a9fe', '64:ff9b::127.0.0.1', '64:ff9b::808:808', '64:ff9b:1::a00:1', '100::1', '2001::1', '2001:0:4136:e378::1',
  '2001:10::1', '2001:20::1', '2001:db8::1', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:808:808::1', '3fff::1', '5f00::1', 'fc00::1', 'fd00:ec2::254', 'fdff::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1', '4000::1',
];

test.each(publicAddresses)('%s is public', (address) => {
  expect(closed.allows(address)).toBe(true);
});

test.each(specialAddresses)('%s is not', (address) => {
  expect(closed.allows(address)).toBe(false);
});

test.each(['', 'localhost', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '1.1.1.1 ', '[::1]', '1.1.1'])('what is no address is not allowed: %s', (text) => {
  expect(closed.allows(text)).toBe(false);
});

/** Every IPv4 address by its number, apart from the list of networks that the program has. */
function isPublic4(address: number): boolean {
  const [a, b, c] = [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255];
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if ((a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32)) return false;
  if (a === 192 && ((b === 0 && (c === 0 || c === 2)) || (b === 31 && c === 196) || (b === 52 && c === 193) || (b === 88 && c === 99) || b === 168 || (b === 175 && c === 48))) return false;
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false;
  return !(a === 203 && b === 0 && c === 113) && address !== ((168 << 24) | (63 << 16) | (129 << 8) | 16) >>> 0;
}

test('all of them by chance, and in no form of IPv6', () => {
  const random = seededRandom(7);
  const misjudged: string[] = [];
  for (let count = 0; count < 20_000; count++) {
    // Half of them at the edges of the networks.
    const high = Math.floor(random() * 65_536);
    const low = random() < 0.5 ? Math.floor(random() * 65_536) : [0, 255, 256, 65_535, 0x0200, 0xc400][Math.floor(random() * 6)]!;
    const number = high * 65_536 + low;
    const address = [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join('.');
    if (closed.allows(address) !== isPublic4(number)) misjudged.push(address);
    const [first, second] = [high.toString(16), low.toString(16)];
    for (const mapped of [`::ffff:${address}`, `::${address}`, `64:ff9b::${address}`, `2002:${first}:${second}::1`, `::ffff:0:${first}:${second}`]) if (closed.allows(mapped)) misjudged.push(mapped);
  }
  expect(misjudged).toEqual([]);
});

describe('what is opened', () => {
  test('is an address or a network, and nothing beside it', () => {
    const rules = createAddressRules(['127.0.0.1', '10.1.0.0/16', 'fd00:1::/48']);
    for (const address of ['127.0.0.1', '10.1.0.0', '10.1.255.255', 'fd00:1::5', '8.8.8.8']) expect(rules.allows(address), address).toBe(true);
    for (const address of ['127.0.0.2', '10.2.0.0', '10.0.255.255', 'fd00:2::5', '::1', '::ffff:127.0.0.1', '::ffff:10.1.0.1']) expect(rules.allows(address), address).toBe(false);
  });

  test('is never a metadata service', () => {
    const rules = createAddressRules(['0.0.0.0/0', '::/0']);
    for (const address of ['127.0.0.1', '169.254.1.1', '10.0.0.1', '::1', 'fd00::1']) expect(rules.allows(address), address).toBe(true);
    for (const address of ['169.254.169.254', '169.254.170.2', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254']) expect(rules.allows(address), address).toBe(false);
  });

  test.each(['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::a9fe:a9fe', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a9fe:a9fe', '2002:a9fe:a9fe::', '2002:a9fe:a9fe::1', '::ffff:100.100.100.200', '64:ff9b::a83f:8110'])(
    'is never one by what stands for its address: %s',
    (address) => {
      const rules = createAddressRules(['::/0', '64:ff9b::/96', '::ffff:0:0/96']);
      expect(rules.allows(address)).toBe(false);
      for (const open of ['64:ff9b::808:808', '::ffff:8.8.8.8', '2002:a9fe:a9ff::']) expect(rules.allows(open), open).toBe(true);
    },
  );

  test('is nothing with a zone', () => {
    const rules = createAddressRules(['fe80::/10']);
    expect(rules.allows('fe80::1')).toBe(true);
    expect(rules.allows('fe80::1%eth0')).toBe(false);
  });
});
