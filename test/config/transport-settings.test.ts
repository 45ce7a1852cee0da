import { describe, expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';

function parse(transport: string, environment: Record<string, string> = {}, assignments: readonly string[] = []) {
  return parseConfiguration(`transport: { kind: kafka, brokers: ["b:9092"]${transport === '' ? '' : `, ${transport}`} }\n`, { file: '/etc/labelstream/c.yaml', environment, assignments, tasks: [] });
}

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
});
