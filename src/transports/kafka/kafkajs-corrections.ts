/** What kafkajs 2.2.4 (pinned, and not developed any more) does wrong beyond what its callers could put right, put right in its classes. */
import ConnectionPool, { type Asked, type Encoder } from 'kafkajs/src/network/connectionPool.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

let isScheduleCorrected = false;

/**
 * kafkajs sets a timer with a negative time after every answer, even with nothing to look after; Node 24 warns of it on the terminal (kafkajs
 * issue 1751).
 */
export function scheduleOnlyWhatIsPending(): void {
  if (isScheduleCorrected) return;
  isScheduleCorrected = true;
  const { prototype } = RequestQueue;
  const schedule = Object.getOwnPropertyDescriptor(prototype, 'scheduleCheckPendingRequests')?.value as (this: RequestQueue) => void;
  prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

const metadataKey = 3;
/** Kafka's word for all topics; 0 is none. */
const allTopics = -1;
let named: WeakSet<object> | undefined;

/**
 * A client of kafkajs that needs no topic, but has to know the brokers, asks for all topics that there are, whosever they are, and fails where one of
 * them has no leader. Those whose connections are made by this function ask for none then.
 */
export function askForNamedTopics(socketFactory: object): void {
  if (named === undefined) {
    const corrected = (named = new WeakSet());
    const { prototype } = ConnectionPool;
    const send = Object.getOwnPropertyDescriptor(prototype, 'send')?.value as (this: ConnectionPool, asked: Asked) => Promise<object>;
    prototype.send = function sendNamed(this: ConnectionPool, asked: Asked) {
      const { request } = asked;
      if (request.apiKey !== metadataKey || !corrected.has(this.socketFactory)) return send.call(this, asked);
      return send.call(this, { ...asked, request: { ...request, encode: async () => noneForAll(await request.encode()) } });
    };
  }
  named.add(socketFactory);
}

/** The number of topics stands first in all versions of the request. */
function noneForAll(encoder: Encoder): Encoder {
  const { buffer } = encoder;
  if (buffer.readInt32BE(0) === allTopics) buffer.writeInt32BE(0, 0);
  return encoder;
}
