/**
 * The clients that everything else here is made of: kafkajs, its low-level cluster, and platformatic's administration client for what kafkajs
 * does not speak (topic ids, offsets that are stable). Nothing connects before it is used.
 *
 * A broker answers the requests of one connection one after the other, and a JoinGroup or a long poll holds up what comes behind it. So whoever
 * waits long opens a cluster of its own.
 */
import { Admin as ProtocolAdmin, type Base, type BaseOptions } from '@platformatic/kafka';
import { Kafka, logLevel, type Admin, type Cluster, type KafkaConfig, type logCreator, type Logger, type SASLOptions } from 'kafkajs';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { KafkaObserver, KafkaOptions } from './kafka-options.ts';
import { askForNamedTopics, scheduleOnlyWhatIsPending } from './kafkajs-corrections.ts';

/** A cluster with what kafkajs keeps in it beyond its types: the topics whose metadata it asks for. */
export type KafkaCluster = Cluster & { targetTopics: Set<string> };

export type KafkaConnection = {
  readonly kafka: Kafka;
  readonly logger: Logger;
  /** Not connected; reads committed. Its connections end with `close` at the latest. */
  readonly openCluster: () => KafkaCluster;
  /** kafkajs' administration, connected. */
  readonly admin: () => Promise<Admin>;
  readonly protocolAdmin: ProtocolAdmin;
  /** Ends every connection of the clients made here, whatever is in flight on them. platformatic's producers are no part of them: each ends its own. */
  readonly close: () => Promise<void>;
};

const connectMsMax = 10_000;
/** A failed call is told after about two seconds of trying; who waits for longer outages tries again. */
const retry = { retries: 4, initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2 } as const;
const keepAliveMs = 60_000;

export function openConnection(options: KafkaOptions): KafkaConnection {
  scheduleOnlyWhatIsPending();
  const sockets = new Set<Socket>();
  let isClosed = false;
  const connect = (how: ConnectOptions): Socket => {
    // What is tried again after a close would open connections that nobody ends.
    if (isClosed) throw new Error('the transport is closed');
    const socket = connectSocket(options, how);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  askForNamedTopics(connect);
  const kafka = new Kafka({ ...kafkajsConfig(options, connect), logCreator: logTo(options.observer, () => isClosed) });
  const protocolAdmin = withstandingResets(new ProtocolAdmin(protocolOptions(options)));
  const admin = kafka.admin();
  let adminConnected: Promise<void> | undefined;
  return {
    kafka,
    logger: kafka.logger(),
    openCluster: () => captureCluster(kafka),
    admin: async () => {
      adminConnected ??= admin.connect().catch((error: unknown) => {
        adminConnected = undefined;
        throw error;
      });
      await adminConnected;
      return admin;
    },
    protocolAdmin,
    close: async () => {
      isClosed = true;
      // kafkajs ends what is in flight, and its timers, when a connection fails, but not when it is closed.
      for (const socket of sockets) socket.destroy(new Error('the transport is closed'));
      await closeClient(protocolAdmin, options);
    },
  };
}

/** What every client of @platformatic/kafka needs: a connection that failed in its handshake fails once more, and an error that nobody hears ends the process. */
export function withstandingResets<Client extends Base>(client: Client): Client {
  client.connections.on('connecting', ({ connection }) => connection.on('error', () => undefined));
  return client;
}

/** Before an end is sent, what was written is; a broker that reads nothing any more would be waited for as long as the connection stands. */
const closingMsMax = 1_000;

/** As `Base.close`, within a second. */
export async function closeClient(client: Base, { clock }: Pick<KafkaOptions, 'clock'>): Promise<void> {
  const connections = Array.from(client.connections, ([, connection]) => connection);
  const over = new AbortController();
  void clock.sleep(closingMsMax, over.signal).then(() => {
    if (!over.signal.aborted) for (const { socket } of connections) socket.destroy();
  });
  await client.close();
  over.abort();
}

/** For clients of @platformatic/kafka. */
export function protocolOptions(options: KafkaOptions): BaseOptions {
  const { brokers, clientId, tls, sasl, requestTimeoutMs } = options;
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    timeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectTimeout: Math.min(connectMsMax, requestTimeoutMs),
    retries: retry.retries,
    retryDelay: (_client, _operation, attempt) => Math.min(retry.maxRetryTime, 25 * 2 ** attempt),
    autocreateTopics: false,
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    ...(sasl === undefined ? {} : { sasl: { mechanism: protocolMechanism(sasl.mechanism), username: sasl.username, password: sasl.password } }),
  };
}

function protocolMechanism(mechanism: NonNullable<KafkaOptions['sasl']>['mechanism']): 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' {
  if (mechanism === 'plain') return 'PLAIN';
  return mechanism === 'scram-sha-256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512';
}

function tlsOptions({ ca, certificate, key }: NonNullable<KafkaOptions['tls']>): { ca?: string; cert?: string; key?: string } {
  return { ...(ca === undefined ? {} : { ca }), ...(certificate === undefined ? {} : { cert: certificate }), ...(key === undefined ? {} : { key }) };
}

type ConnectOptions = Parameters<NonNullable<KafkaConfig['socketFactory']>>[0];

/** For kafkajs, which keeps a socket that has closed, and disconnects it with every other of the same broker: Node remembers each `unref` of such a one. */
export function connectSocket({ tls }: Pick<KafkaOptions, 'tls'>, { host, port, onConnect }: Pick<ConnectOptions, 'host' | 'port' | 'onConnect'>): Socket {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket = tls === undefined ? connectPlain({ host, port }, onConnect) : connectTls({ host, port, ...name, ...tlsOptions(tls) }, onConnect);
  socket.once('close', () => (socket.unref = () => socket));
  return socket.setKeepAlive(true, keepAliveMs);
}

function kafkajsConfig(options: KafkaOptions, socketFactory: (how: ConnectOptions) => Socket): KafkaConfig {
  const { brokers, clientId, tls, sasl, requestTimeoutMs } = options;
  const connectionTimeout = Math.min(connectMsMax, requestTimeoutMs);
  return {
    brokers: [...brokers],
    clientId,
    connectionTimeout,
    authenticationTimeout: connectionTimeout,
    requestTimeout: requestTimeoutMs,
    retry,
    ...(tls === undefined ? {} : { ssl: tlsOptions(tls) }),
    ...(sasl === undefined ? {} : { sasl: mechanismOf(sasl) }),
    socketFactory,
    logLevel: logLevel.INFO,
  };
}

/** kafkajs' types want to see which of its mechanisms it is. */
function mechanismOf({ mechanism, username, password }: NonNullable<KafkaOptions['sasl']>): SASLOptions {
  if (mechanism === 'plain') return { mechanism, username, password };
  return mechanism === 'scram-sha-256' ? { mechanism, username, password } : { mechanism, username, password };
}

const quiet: ReadonlySet<string> = new Set(['Producer', 'Connection', 'BrokerPool', 'Cluster']);

/**
 * What kafkajs calls an error it mostly tries again by itself; what becomes of a call is told by its rejection. Answers with an error code are
 * everyday life: a rebalance, or a transaction whose markers are still being written. So are connections that fail while a broker is away, every
 * second: who needs them says that it waits. That a group was joined, which kafkajs tells without its name, the member tells itself.
 */
function levelOf(level: logLevel, namespace: string, message: string): 'debug' | 'warn' {
  if (level >= logLevel.INFO || quiet.has(namespace) || namespace.startsWith('SaslAuthenticator-') || message.startsWith('Response ')) return 'debug';
  return 'warn';
}

function logTo(observer: KafkaObserver, isClosed: () => boolean): logCreator {
  return () => ({ namespace, level, log: { message, ...details } }) => {
    if (isClosed()) return;
    observer.message(levelOf(level, namespace, message), `${namespace}: ${message}`, details);
  };
}

/** kafkajs hands its cluster, which it does not export, to the assigners of a consumer while that is made; no consumer is ever started with it. */
function captureCluster(kafka: Kafka): KafkaCluster {
  let captured: Cluster | undefined;
  kafka.consumer({
    groupId: 'never joined',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        captured = cluster;
        return { name: 'none', version: 0, assign: () => Promise.resolve([]), protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) };
      },
    ],
  });
  if (captured === undefined || !hasTargets(captured)) throw new Error('kafkajs is not the version that this was written for.');
  return captured;
}

function hasTargets(cluster: Cluster): cluster is KafkaCluster {
  return 'targetTopics' in cluster && cluster.targetTopics instanceof Set;
}

/**
 * Asks for the leaders anew. One topic that was deleted makes kafkajs reject for all: then the topics are asked for one by one, and those that are
 * missing are forgotten.
 */
export async function refreshMetadata(cluster: KafkaCluster): Promise<void> {
  try {
    await cluster.refreshMetadata();
  } catch (error) {
    if (!isTopicTrouble(error)) throw error;
    const topics = [...cluster.targetTopics];
    cluster.targetTopics = new Set();
    for (const topic of topics) {
      await cluster.addTargetTopic(topic).catch((refusal: unknown) => {
        if (!isTopicTrouble(refusal)) throw refusal;
      });
    }
  }
}

const topicTroubles: readonly unknown[] = ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'];

function isTopicTrouble(error: unknown): boolean {
  return error instanceof Error && 'type' in error && topicTroubles.includes(error.type);
}
