/** What the settings of the transport have to be together. */
import type { SettingPath } from './mistakes.ts';
import type { Settings } from './settings.ts';

type Report = (path: SettingPath, message: string, remedy: string) => void;

type KafkaSettings = Extract<Settings['transport'], { readonly kind: 'kafka' }>;

export function checkTransport(transport: Settings['transport'], report: Report): void {
  if (transport.kind !== 'kafka') return;
  const { sasl, tls, producer, compression } = transport;
  const at = (...path: string[]): SettingPath => ['transport', ...path];
  if (sasl !== undefined) {
    if (sasl.password === undefined && sasl.passwordFile === undefined) report(at('sasl'), 'there is no password', 'Add passwordFile, or password.');
    if (sasl.password !== undefined && sasl.passwordFile !== undefined) report(at('sasl'), 'password and passwordFile are both there', 'Keep one.');
  }
  if (!tls.enabled && (tls.caFile ?? tls.certificateFile ?? tls.keyFile) !== undefined) {
    report(at('tls'), 'files are named, but connections are not encrypted', 'Set tls.enabled: true, or take the files out.');
  }
  if ((tls.certificateFile === undefined) !== (tls.keyFile === undefined)) report(at('tls'), 'a certificate and its key go together', 'Name both, or none.');
  if (producer === 'kafkajs' && compression !== 'none' && compression !== 'gzip') {
    report(at('compression'), `the producer kafkajs does not know ${compression}`, 'Set compression: gzip, or producer: platformatic.');
  }
  checkTimeouts(transport, report);
}

/** From the shortest to the longest: a heartbeat, a request, the session, a rebalance; and a transaction has to outlast its requests. */
function checkTimeouts({ heartbeatIntervalMs, requestTimeoutMs, sessionTimeoutMs, rebalanceTimeoutMs, transactionTimeoutMs }: KafkaSettings, report: Report): void {
  const at = (name: keyof KafkaSettings): SettingPath => ['transport', name];
  if (heartbeatIntervalMs * 3 > sessionTimeoutMs) {
    report(at('heartbeatIntervalMs'), 'one lost heartbeat could end the session', `Set it to at most a third of sessionTimeoutMs, which is ${sessionTimeoutMs}.`);
  }
  if (requestTimeoutMs >= sessionTimeoutMs) {
    report(at('requestTimeoutMs'), 'a heartbeat without an answer would be given up only when the session is over', `Set it below sessionTimeoutMs, which is ${sessionTimeoutMs}.`);
  }
  if (rebalanceTimeoutMs < sessionTimeoutMs) {
    report(at('rebalanceTimeoutMs'), 'a rebalance would leave out a member whose session goes on', `Set it to at least sessionTimeoutMs, which is ${sessionTimeoutMs}.`);
  }
  if (transactionTimeoutMs <= requestTimeoutMs) {
    report(at('transactionTimeoutMs'), 'a transaction would be aborted while a request in it is waited for', `Set it above requestTimeoutMs, which is ${requestTimeoutMs}.`);
  }
}
