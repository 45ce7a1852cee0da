/** The properties of a broker of the tests: quick to start, alone, and with a listener for each way in. */
import type { BrokerFile, BrokerHost } from './broker-host.ts';
import type { Certificates } from './certificates.ts';

type Properties = Readonly<Record<string, string>>;

/** `proxied` is where the broker listens for what comes through the proxy, `proxy` what it tells those clients to connect to. */
type BrokerPorts = { readonly plaintext: number; readonly controller: number; readonly proxied: number; readonly proxy: number; readonly secured: number };

/** Where it runs decides what it can listen on and write to. */
type Place = Pick<BrokerHost, 'directory' | 'dataDirectory' | 'listenAddress'>;

export function brokerProperties(host: Place, ports: BrokerPorts): Properties {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${ports.controller}`,
    listeners: listeners(host.listenAddress, { PLAINTEXT: ports.plaintext, CONTROLLER: ports.controller, PROXIED: ports.proxied }),
    'advertised.listeners': listeners('127.0.0.1', { PLAINTEXT: ports.plaintext, CONTROLLER: ports.controller, PROXIED: ports.proxy }),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,SECURED:SASL_SSL',
    'log.dirs': host.dataDirectory,
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // Tests wait for sessions that end.
    'group.min.session.timeout.ms': '1000',
    // After SIGKILL the controller takes the broker back only when the session of its former life is over.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    // A broker alone; few partitions of the internal topics make it start, and start again, much sooner.
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // A quarter of the small heap by default.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
  };
}

type Secured = { readonly properties: Properties; readonly files: readonly BrokerFile[] };

/** Adds the SASL_SSL listener and ACLs: what no rule allows is denied, except to the super users and on the plaintext listener. */
export function securedProperties(host: Place, ports: BrokerPorts, { server, authority }: Certificates, superUsers: readonly string[]): Secured {
  const { listeners: plain, 'advertised.listeners': advertised } = brokerProperties(host, ports);
  const keystore = { name: 'keystore.pem', content: server.key + server.certificate };
  const truststore = { name: 'truststore.pem', content: authority.certificate };
  const listener = 'listener.name.secured';
  const properties = {
    listeners: `${plain ?? ''},SECURED://${host.listenAddress}:${ports.secured}`,
    'advertised.listeners': `${advertised ?? ''},SECURED://localhost:${ports.secured}`,
    'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    [`${listener}.scram-sha-512.sasl.jaas.config`]: 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    [`${listener}.ssl.keystore.type`]: 'PEM',
    [`${listener}.ssl.keystore.location`]: `${host.directory}/${keystore.name}`,
    [`${listener}.ssl.truststore.type`]: 'PEM',
    [`${listener}.ssl.truststore.location`]: `${host.directory}/${truststore.name}`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': ['ANONYMOUS', ...superUsers].map((user) => `User:${user}`).join(';'),
  };
  return { properties, files: [keystore, truststore] };
}

export function propertiesText(properties: Properties): string {
  return Object.entries(properties).map(([key, value]) => `${key}=${value}\n`).join('');
}

function listeners(address: string, ports: Readonly<Record<string, number>>): string {
  return Object.entries(ports).map(([name, port]) => `${name}://${address}:${port}`).join(',');
}
