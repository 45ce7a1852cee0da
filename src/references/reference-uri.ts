/** The http: and https: URIs of references, as far as they can be judged without asking anybody. */
import { referenceError } from '../core/errors/reference.ts';

/** Throws LS_REFERENCE_URI. What the parser of URLs would drop or change in silence is refused. */
export function parseReferenceUri(uri: string): URL {
  const refused = (what: string): Error => referenceError('LS_REFERENCE_URI', `a reference is no URI that can be fetched: ${what}`);
  if (/[\p{Cc}\p{Z}\\]/u.test(uri) || !/^https?:\/\/[^/]/i.test(uri)) throw refused('not of the form https://host/path');
  if (!URL.canParse(uri)) throw refused('its host or port is malformed');
  const url = new URL(uri);
  // An empty user leaves no trace in the parsed URL.
  if (/^https?:\/\/[^/?#]*@/i.test(uri)) throw refused('it holds a user, which belongs into no event');
  url.hash = '';
  return url;
}

/** For messages: on one line, short, and without the query, which may hold a signature. */
export function toldUri({ origin, pathname, search }: URL): string {
  return `${origin}${pathname}`.slice(0, 200) + (search === '' ? '' : '?...');
}
