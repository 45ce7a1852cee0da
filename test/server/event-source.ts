/** A client of server-sent events, over HTTP as it is. */
import { get, type IncomingMessage } from 'node:http';

export type ServerSentEvent = { readonly event: string; readonly id: string; readonly data: unknown };

export type EventSource = {
  readonly status: number;
  /** The next event; undefined when the stream has ended. */
  readonly next: () => Promise<ServerSentEvent | undefined>;
  /** Everything as it came, so far. */
  readonly text: () => string;
  /** Leaves. */
  readonly close: () => void;
};

/** @param isSlow takes nothing until `next` is called. */
export async function openEvents(url: string, { lastEventId, isSlow = false }: { readonly lastEventId?: string | undefined; readonly isSlow?: boolean } = {}): Promise<EventSource> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId }, agent: false }, resolve).on('error', reject);
  });
  if (isSlow) response.pause();
  const chunks = response.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
  let text = '';
  let rest = '';
  const next = async (): Promise<ServerSentEvent | undefined> => {
    for (;;) {
      const end = rest.indexOf('\n\n');
      if (end === -1) {
        const chunk = await chunks.next();
        if (chunk.done === true) return undefined;
        text += chunk.value;
        rest += chunk.value;
        continue;
      }
      const block = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const field = (name: string): string | undefined => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) return { event: field('event') ?? 'message', id: field('id') ?? '', data: JSON.parse(data) as unknown };
    }
  };
  return { status: response.statusCode ?? 0, next, text: () => text, close: () => response.destroy() };
}
