/** What no single setting of `registry` can know. */
import type { SettingPath } from './mistakes.ts';
import type { Settings } from './settings.ts';

type Report = (path: SettingPath, message: string, remedy: string) => void;

export function checkRegistry(registry: Settings['registry'], report: Report): void {
  if (registry === undefined) return;
  const { auth, tls, encode, registerSchemas, subjectStrategy } = registry;
  if (subjectStrategy === 'topic' && (encode === 'confluent' || registerSchemas)) {
    const because = encode === 'confluent' ? 'registry.encode: confluent' : 'registry.registerSchemas: true';
    report(
      ['registry', 'subjectStrategy'],
      `registry.subjectStrategy: topic has one schema per topic, but the topic features holds two, which ${because} is to register or find`,
      'Set registry.subjectStrategy to record or topic-record.',
    );
  }
  if (auth.basic !== undefined && auth.bearer !== undefined) {
    report(['registry', 'auth'], 'registry.auth has both basic and bearer', 'Keep one of them.');
  }
  if (auth.basic !== undefined) requireOne(auth.basic, ['password', 'passwordFile'], ['registry', 'auth', 'basic'], report);
  if (auth.bearer !== undefined) requireOne(auth.bearer, ['token', 'tokenFile'], ['registry', 'auth', 'bearer'], report);
  if ((tls.certificateFile === undefined) !== (tls.keyFile === undefined)) {
    report(['registry', 'tls'], 'registry.tls.certificateFile and registry.tls.keyFile need each other', 'Give both, or neither.');
  }
  if (Object.values(tls).some((file) => file !== undefined) && !registry.urls.every((url) => url.startsWith('https:'))) {
    report(['registry', 'tls'], 'registry.tls is given, but not every one of registry.urls begins with https:', 'Give https: addresses, or remove registry.tls.');
  }
}

function requireOne<Name extends string>(given: Readonly<Partial<Record<Name, unknown>>>, names: readonly [Name, Name], path: SettingPath, report: Report): void {
  if (names.filter((name) => given[name] !== undefined).length === 1) return;
  report(path, `${path.join('.')} needs ${names[0]} or ${names[1]}, and not both`, `Give one of them; a file, or a variable such as \${REGISTRY_SECRET}, keeps the secret out of the configuration.`);
}
