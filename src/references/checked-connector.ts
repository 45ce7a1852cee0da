/**
 * Connects to addresses that the rules allow, and to no other. The literal is checked here, because nobody looks up an address that is written down; the
 * addresses of a name are checked where they come from the resolver, all of them, and the socket connects to those very addresses: asked twice, a
 * name may answer twice (DNS rebinding). Connections that are kept open stay with the address they were made to.
 */
import { lookup as lookUpInSystem } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { createBudget } from '../core/budget.ts';
import { referenceError } from '../core/errors/reference.ts';
import type { AddressRules } from './address-rules.ts';

export type ResolvedAddress = { readonly address: string; readonly family: number };

export type ResolveHost = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export type CheckedConnectorOptions = {
  readonly rules: AddressRules;
  readonly resolve: ResolveHost;
  readonly connectMsMax: number;
  /** PEM; by default the authorities that Node knows. */
  readonly ca?: string | undefined;
};

/**
 * As the system resolves, its hosts file included. One at a time: it takes one of the four threads in which the log reads and writes, and a resolver
 * that hangs must not have more of them.
 */
export function createSystemResolver(): ResolveHost {
  const lookups = createBudget(1);
  return async (hostname) => {
    const end = await lookups.take(1);
    try {
      return await lookUpInSystem(hostname, { all: true });
    } finally {
      end();
    }
  };
}

export function createCheckedConnector({ rules, resolve, connectMsMax, ca }: CheckedConnectorOptions): buildConnector.connector {
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    allowedAddresses(hostname, rules, resolve).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) callback(new Error(`${hostname} has no address`), []);
        else if (all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error as Error, []),
    );
  };
  const connect = buildConnector({ allowH2: false, timeout: connectMsMax, lookup, ...(ca === undefined ? {} : { ca }) });
  return (options, callback) => {
    const literal = options.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(literal) !== 0 && !rules.allows(literal)) {
      callback(forbidden(options.hostname, literal), null);
      return;
    }
    connect(options, (...[error, socket]) => {
      if (error !== null) callback(error, null);
      else if (rules.allows(socket.remoteAddress ?? '')) callback(null, socket);
      else {
        callback(forbidden(options.hostname, socket.remoteAddress ?? 'an unknown address'), null);
        socket.destroy();
      }
    });
  };
}

/** One forbidden address among several is enough: which of them is connected to is not ours to choose. */
async function allowedAddresses(hostname: string, rules: AddressRules, resolve: ResolveHost): Promise<readonly ResolvedAddress[]> {
  const addresses = await resolve(hostname);
  const refused = addresses.find(({ address }) => !rules.allows(address));
  if (refused !== undefined) throw forbidden(hostname, refused.address);
  return addresses;
}

/** The address itself stays out of the message, which may go to those who publish: it would tell them of the network. */
function forbidden(hostname: string, address: string): Error {
  const what = hostname.replace(/^\[(.*)\]$/, '$1') === address ? 'is no address' : 'leads to no address';
  return referenceError('LS_REFERENCE_ADDRESS', `${JSON.stringify(hostname.slice(0, 200))} ${what} that content may be fetched from`, { hostname });
}
