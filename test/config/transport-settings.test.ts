import { describe, expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';

function parse(transport: string, environment: Record<string, string> = {}, assignments: readonly string[] = []) {
  return parseConfiguration(`transport: { kind: kafka, brokers: ["b:9092"]${transport === '' ? '' : `, ${transport}`} }\n`, { file: '/etc/labelstream/c.yaml', environment, assignments, tasks: [] });
}

const parseBrokers = (brokers: string) => parseConfiguration(`transport: { kind: kafka, brokers: ${brokers} }\n`, { file: '/etc/labelstream/c.yaml', environment: {}, assignments: [], tasks: [] });

describe('the settings of Kafka', () => {
  test.for([
    ['a user without a password', 'sasl: { mechanism: plain, username: u }', 'there is no password'],
    ['two passwords', 'sasl: { mechanism: plain, username: u, password: p, passwordFile: f }', 'are both there'],
    ['certificates without encryption', 'tls: { caFile: ca.pem }', 'connections are not encrypted'],
    ['a certificate without its key', 'tls: { enabled: true, certificateFile: c.pem }', 'go together'],
    ['a compression that the producer does not know', 'compression: zstd', 'does not know zstd'],
    ['heartbeats that may not be lost', 'sessionTimeoutMs: 6000, heartbeatIntervalMs: 2500, requestTimeoutMs: 5000', 'one lost heartbeat'],
    ['requests that outlast the session', 'sessionTimeoutMs: 30000, requestTimeoutMs: 30000', 'only when the session is over'],
    ['a session that outlasts a rebalance', 'sessionTimeoutMs: 45000, rebalanceTimeoutMs: 44999', 'would leave out a member'],
    ['requests that outlast a transaction', 'requestTimeoutMs: 20000, transactionTimeoutMs: 20000', 'while a request in it is waited for'],
  ] as const)('%s is refused with a remedy', ([, transport, message]) => {
    const { mistakes } = parse(transport);
    expect(mistakes).toMatchObject([{ code: 'LS_CONFIG_COMBINATION', line: 1, message: expect.stringContaining(message) as string, remedy: expect.stringMatching(/\.$/) as string }]);
  });

  test('times that follow each other closely are taken', () => {
    expect(parse('heartbeatIntervalMs: 2000, requestTimeoutMs: 5999, sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000, transactionTimeoutMs: 6000').mistakes).toEqual([]);
  });

  test('files are looked for beside the configuration file', () => {
    const { configuration } = parse('sasl: { mechanism: plain, username: u, passwordFile: secrets/p }, tls: { enabled: true, caFile: /pki/ca.pem, certificateFile: c.pem, keyFile: k.pem }');
    expect(configuration?.transport).toMatchObject({
      sasl: { passwordFile: '/etc/labelstream/secrets/p' },
      tls: { caFile: '/pki/ca.pem', certificateFile: '/etc/labelstream/c.pem', keyFile: '/etc/labelstream/k.pem' },
    });
  });

  test('brokers come from the environment, or from the command line, as a list', () => {
    expect(parse('', { LABELSTREAM_TRANSPORT__BROKERS: 'a:1, b:2' }).configuration?.transport).toMatchObject({ brokers: ['a:1', 'b:2'] });
    expect(parse('', { LABELSTREAM_TRANSPORT__BROKERS: 'a:1' }, ['transport.brokers=c:3']).configuration?.transport).toMatchObject({ brokers: ['c:3'] });
    expect(parse('', { LABELSTREAM_TRANSPORT__BROKERS: 'nonsense' }).mistakes).toMatchObject([{ code: 'LS_CONFIG_VALUE' }]);
    expect(parse('', { LABELSTREAM_TRANSPORT__BROKERS: ' , ' }).mistakes).toMatchObject([{ code: 'LS_CONFIG_VALUE' }]);
  });

  test.for([
    ['two in one entry', 'a:9092,b:9092', 'several brokers in one entry: give each an entry of its own, as host:port'],
    ['a URL', 'kafka://a:9092', 'host:port, without anything before the host or behind the port'],
    ['a listener with a password', 'SASL_SSL://u:secret@a:9092', 'host:port, without anything before the host or behind the port'],
    ['no port', 'kafka-1', 'host:port, such as kafka-1:9092'],
    ['no host', ':9092', 'host:port, such as kafka-1:9092'],
    ['a port that is none', 'a:0', 'a port from 1 to 65535'],
    ['a port that is too large', 'a:65536', 'a port from 1 to 65535'],
    ['a space', ' a:9092', 'host:port, such as kafka-1:9092'],
    // kafkajs takes what follows the first colon for the port.
    ['an IPv6 address', '[::1]:9092', 'a name or an IPv4 address'],
  ] as const)('a broker that is not host:port is refused, and not repeated: %s', ([, broker, message]) => {
    const { mistakes } = parseBrokers(`["b:9092", "${broker}"]`);
    expect(mistakes).toMatchObject([{ code: 'LS_CONFIG_VALUE', line: 1, path: ['transport', 'brokers', 1], message: expect.stringContaining('transport.brokers[1]: ') as string }]);
    expect(mistakes[0]?.message).toContain(message);
    expect(mistakes[0]?.message).not.toContain('secret');
  });

  test('brokers are names, with a dot at the end, too, and IPv4 addresses', () => {
    expect(parseBrokers('["kafka_1:1", "b.example.:65535", "10.0.0.1:9092", "bücher.example:9092"]').mistakes).toEqual([]);
  });
});
