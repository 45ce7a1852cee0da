/** What the settings of the transport have to be together. */
import type { SettingPath } from './mistakes.ts';
import type { Settings } from './settings.ts';

type Report = (path: SettingPath, message: string, remedy: string) => void;

export function checkTransport(transport: Settings['transport'], report: Report): void {
  if (transport.kind !== 'kafka') return;
  const { sasl, tls, producer, compression, heartbeatIntervalMs, sessionTimeoutMs } = transport;
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
  if (heartbeatIntervalMs * 3 > sessionTimeoutMs) {
    report(at('heartbeatIntervalMs'), 'one lost heartbeat could end the session', 'Set it to at most a third of sessionTimeoutMs.');
  }
}
