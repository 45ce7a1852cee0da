/**
 * Which addresses may be connected to for the sake of an event. Whoever may publish names the host, and a name leads wherever its owner says: into this
 * machine, into the network behind it, to the metadata service that gives out credentials. So only public addresses are allowed (the registries of
 * special-purpose addresses at IANA), and what an operator opens by name.
 */
import { BlockList, isIP } from 'node:net';

/** What IANA's registry does not call globally reachable, multicast, and what is reserved. */
const specialNetworks4 = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24',
  '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
] as const;

/**
 * Global unicast is 2000::/3. All else is blocked as a whole, and with it what stands for an IPv4 address: ::/96 (compatible), ::ffff:0:0/96 (mapped),
 * 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64). Within 2000::/3 2001::/23 holds Teredo, and 2002::/16 is 6to4.
 */
const specialNetworks6 = ['::/3', '4000::/2', '8000::/1', '2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'] as const;

/** Services of clouds that tell whoever reaches them what they should not, some at public addresses: never opened, whatever network is. */
const metadataAddresses = ['169.254.169.254', '169.254.170.2', '169.254.170.23', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254'] as const;

/** What leads to an IPv4 address, where a network of these is opened: mapped, compatible, the two prefixes of NAT64, 6to4. */
function standingFor(address4: string): readonly string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address4.split('.').map(Number);
  const sixToFour = `2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::/48`;
  return [...['::ffff:', '::', '64:ff9b::', '64:ff9b:1::'].map((prefix) => prefix + address4), sixToFour];
}

export type AddressRules = {
  /** False for what is no address, and for one with a zone, which no public one has. */
  readonly allows: (address: string) => boolean;
};

/** @param allowPrivateAddresses addresses and networks (`10.1.0.0/16`, `::1`), each well formed. */
export function createAddressRules(allowPrivateAddresses: readonly string[]): AddressRules {
  const special = listOf([...specialNetworks4, ...specialNetworks6]);
  const metadata = listOf(metadataAddresses.flatMap((address) => (isIP(address) === 4 ? [address, ...standingFor(address)] : [address])));
  const opened = listOf(allowPrivateAddresses);
  return { allows: (address) => isIP(address) !== 0 && !address.includes('%') && !metadata.has(address) && (opened.has(address) || !special.has(address)) };
}

/** The two families apart: a `BlockList` holds IPv4 addresses against networks of IPv6, too, as if they were mapped, so that ::/3 would block all of them. */
function listOf(networks: readonly string[]): { readonly has: (address: string) => boolean } {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = familyOf(address);
    lists[family].addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return {
    has: (address) => {
      const family = familyOf(address);
      return lists[family].check(address, family);
    },
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
