/** The list of origins that content may be fetched from: scheme, host and port in one, `https://*.example.com:8443` for all hosts below a name. */

export type AllowedOrigins = { readonly allows: (url: URL) => boolean };

const wildcard = /^(https?:\/\/)\*\.(.+)$/;

/** @param origins each of them `canonicalOrigin` gives unchanged, or with a port that it leaves out. */
export function createAllowedOrigins(origins: readonly string[]): AllowedOrigins {
  const exact = new Set<string>();
  const below: { readonly protocol: string; readonly suffix: string; readonly port: string }[] = [];
  for (const origin of origins.flatMap((text) => canonicalOrigin(text) ?? [])) {
    const [, scheme, rest] = wildcard.exec(origin) ?? [];
    if (scheme === undefined || rest === undefined) exact.add(origin);
    else {
      const { protocol, hostname, port } = new URL(scheme + rest);
      below.push({ protocol, suffix: `.${hostname}`, port });
    }
  }
  return {
    allows: ({ origin, protocol, hostname, port }) =>
      exact.has(origin) || below.some((each) => each.protocol === protocol && each.port === port && hostname.endsWith(each.suffix) && hostname.length > each.suffix.length),
  };
}

/** As the parser of URLs writes it; undefined for what is no origin, or is one of something else than http and https. */
export function canonicalOrigin(text: string): string | undefined {
  const [, scheme, rest] = wildcard.exec(text) ?? [];
  const plain = scheme === undefined || rest === undefined ? text : scheme + rest;
  if (!/^https?:\/\/[^/\\?#@\s]+$/.test(plain) || !URL.canParse(plain)) return undefined;
  const { protocol, host, hostname } = new URL(plain);
  if (hostname.endsWith('.')) return undefined;
  // An address has no names below it.
  if (plain !== text && (hostname.startsWith('[') || /^[\d.]+$/.test(hostname))) return undefined;
  return `${protocol}//${plain === text ? '' : '*.'}${host}`;
}
