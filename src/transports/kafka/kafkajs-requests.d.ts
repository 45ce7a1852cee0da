/** What is used of kafkajs' requests beyond its public interface, as version 2.2.4 (pinned, and not developed any more) has it. */

declare module 'kafkajs/src/network/connectionPool.js' {
  export type Encoder = { readonly buffer: Buffer };
  export type Asked = { readonly request: { readonly apiKey: number; readonly encode: () => Promise<Encoder> } };

  /** The connections to one broker. */
  export default class ConnectionPool {
    readonly socketFactory: object;
    send(asked: Asked): Promise<object>;
  }
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: readonly object[];
    scheduleCheckPendingRequests(): void;
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  /** A KafkaJSProtocolError. */
  export function createErrorFromCode(code: number): Error;
}

declare module 'kafkajs/src/protocol/requests/fetch/v11/request.js' {
  const fetchRequest: (options: {
    readonly replicaId: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly isolationLevel: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number }[];
    }[];
  }) => object;
  export default fetchRequest;
}
