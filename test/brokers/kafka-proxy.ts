/**
 * A TCP proxy between clients and the broker's PROXIED listener that knows the beginning of Kafka's frames, and so can be told what to do with requests of
 * a kind: hold them back, swallow them or their answers, cut their connection.
 *
 *   client ── request: length | api key | api version | correlation id | ... ──► proxy ──► broker
 *   client ◄─ answer:  length | correlation id | ... ────────────────────────── proxy ◄── broker
 *
 * A request that was held back reaches the broker even where its client has gone meanwhile, as one that lingers in a network does.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export const apiKeys = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  offsetCommit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  leaveGroup: 13,
  syncGroup: 14,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  writeTxnMarkers: 27,
  txnOffsetCommit: 28,
} as const;

export type ProxiedRequest = { readonly apiKey: number; readonly apiVersion: number; readonly correlationId: number; readonly frame: Buffer };

export type ProxyRule = {
  /**
   * delay: passes the request on after `delayMs`, without that only at `release()`; later requests of the connection wait behind it.
   * cut-before: the connection ends and the broker never sees the request. cut-after: the connection ends when the broker has answered.
   * linger: the connection ends for the client, and the request reaches the broker at `release()`.
   * drop-request, drop-answer: the connection goes on, its client waits in vain.
   */
  readonly action: 'delay' | 'linger' | 'cut-before' | 'cut-after' | 'drop-request' | 'drop-answer';
  readonly delayMs?: number;
  /** How many requests it is for; all by default. */
  readonly times?: number;
  /** Which requests of the kind; all by default. */
  readonly when?: (request: ProxiedRequest) => boolean;
};

export type AppliedRule = {
  readonly hits: () => number;
  /** Resolves when that many requests have met the rule, for drop-answer and cut-after: when the broker has answered them. */
  readonly reached: (count: number) => Promise<void>;
  /** Resolves when the broker has answered the first one that lingered. */
  readonly answered: Promise<unknown>;
  /** Lets go what is held back, now and later. */
  readonly release: () => void;
  /** Ends the rule; what it holds back goes on. */
  readonly remove: () => void;
};

export type KafkaProxy = {
  readonly brokers: string;
  readonly on: (apiKey: number, rule: ProxyRule) => AppliedRule;
  /** How many requests of the kind came. */
  readonly requests: (apiKey: number) => number;
  readonly cutAll: () => void;
  /** The broker is out of reach: connections are cut and new ones closed at once, until `joinNetwork`. */
  readonly leaveNetwork: () => void;
  readonly joinNetwork: () => void;
  readonly close: () => Promise<void>;
};

/** Listens on 127.0.0.1. */
export async function startProxy(ports: { readonly listen: number; readonly target: number }): Promise<KafkaProxy> {
  const rules = new Set<ActiveRule>();
  const counts = new Map<number, number>();
  const connections = new Set<() => void>();
  let reachable = true;

  const ruleFor = (request: ProxiedRequest): ActiveRule | undefined => {
    counts.set(request.apiKey, (counts.get(request.apiKey) ?? 0) + 1);
    for (const rule of rules) {
      if (rule.takes(request)) {
        return rule;
      }
    }
    return undefined;
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (!reachable) {
      client.destroy();
      return;
    }
    const broker = connect({ port: ports.target, host: '127.0.0.1', noDelay: true });
    const cut = relay(client, broker, ruleFor);
    connections.add(cut);
    // Not the client's end: what was held back for it may still be on its way.
    broker.once('close', () => connections.delete(cut));
  });
  server.listen(ports.listen, '127.0.0.1');
  await once(server, 'listening');
  const cutAll = (): void => {
    for (const cut of connections) {
      cut();
    }
  };
  return {
    brokers: `127.0.0.1:${ports.listen}`,
    on: (apiKey, rule) => {
      const active = activeRule(apiKey, rule);
      rules.add(active);
      return {
        ...active.applied,
        remove: () => {
          rules.delete(active);
          active.applied.release();
        },
      };
    },
    requests: (apiKey) => counts.get(apiKey) ?? 0,
    cutAll,
    leaveNetwork: () => {
      reachable = false;
      cutAll();
    },
    joinNetwork: () => {
      reachable = true;
    },
    close: async () => {
      cutAll();
      server.close();
      await once(server, 'close');
    },
  };
}

type ActiveRule = {
  readonly rule: ProxyRule;
  readonly takes: (request: ProxiedRequest) => boolean;
  readonly hit: () => void;
  readonly released: Promise<undefined>;
  readonly answer: () => void;
  readonly applied: Omit<AppliedRule, 'remove'>;
};

function activeRule(apiKey: number, rule: ProxyRule): ActiveRule {
  const released = Promise.withResolvers<undefined>();
  const answered = Promise.withResolvers<undefined>();
  const waiting = new Map<number, PromiseWithResolvers<undefined>>();
  let taken = 0;
  let hits = 0;
  return {
    rule,
    takes: (request) => {
      const takes = request.apiKey === apiKey && taken < (rule.times ?? Infinity) && (rule.when?.(request) ?? true);
      taken += takes ? 1 : 0;
      return takes;
    },
    hit: () => {
      hits += 1;
      waiting.get(hits)?.resolve(undefined);
    },
    released: released.promise,
    answer: () => answered.resolve(undefined),
    applied: {
      hits: () => hits,
      reached: async (count) => {
        if (hits < count) {
          const reached = waiting.get(count) ?? Promise.withResolvers<undefined>();
          waiting.set(count, reached);
          await reached.promise;
        }
      },
      answered: answered.promise,
      release: () => released.resolve(undefined),
    },
  };
}

/** Carries one connection until either side ends it; answers the function that cuts it. */
function relay(client: Socket, broker: Socket, ruleFor: (request: ProxiedRequest) => ActiveRule | undefined): () => void {
  const answerRules = new Map<number, ActiveRule>();
  const cut = (): void => {
    client.destroy();
    broker.destroy();
  };

  const passRequest = async (frame: Buffer): Promise<void> => {
    const request = { apiKey: frame.readInt16BE(4), apiVersion: frame.readInt16BE(6), correlationId: frame.readInt32BE(8), frame };
    const active = ruleFor(request);
    switch (active?.rule.action) {
      case 'delay':
        active.hit();
        await (active.rule.delayMs === undefined ? active.released : Promise.race([delay(active.rule.delayMs), active.released]));
        break;
      case 'linger':
        client.destroy();
        active.hit();
        await active.released;
        answerRules.set(request.correlationId, active);
        await write(broker, frame);
        // The broker forgets what it has not answered when its side of the connection ends.
        await Promise.race([active.applied.answered, once(broker, 'close')]);
        return;
      case 'cut-before':
        active.hit();
        cut();
        return;
      case 'drop-request':
        active.hit();
        return;
      case 'cut-after':
      case 'drop-answer':
        answerRules.set(request.correlationId, active);
        break;
      case undefined:
        break;
    }
    await write(broker, frame);
  };
  const passAnswer = async (frame: Buffer): Promise<void> => {
    const active = answerRules.get(frame.readInt32BE(4));
    if (active === undefined) {
      await write(client, frame);
      return;
    }
    answerRules.delete(frame.readInt32BE(4));
    if (active.rule.action === 'linger') {
      active.answer();
      return;
    }
    if (active.rule.action === 'cut-after') {
      cut();
    }
    active.hit();
  };

  broker.on('error', cut);
  client.on('error', () => undefined);
  // Only the sending side ends here, and after all that was held back: the broker still gets those requests.
  void forwardFrames(client, passRequest).finally(() => broker.end());
  void forwardFrames(broker, passAnswer).finally(() => client.end());
  return cut;
}

/** Passes whole frames on, one after the other and no faster than they are taken. */
async function forwardFrames(source: Socket, pass: (frame: Buffer) => Promise<void>): Promise<void> {
  let received: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const length = 4 + received.readInt32BE(0);
        const frame = received.subarray(0, length);
        received = received.subarray(length);
        await pass(frame);
      }
    }
  } catch {
    // A connection that broke has nothing more to pass on.
  }
}

async function write(socket: Socket, frame: Buffer): Promise<void> {
  if (socket.destroyed || socket.write(frame)) {
    return;
  }
  const over = new AbortController();
  try {
    await Promise.race([once(socket, 'drain', over), once(socket, 'close', over)]);
  } finally {
    over.abort();
  }
}
