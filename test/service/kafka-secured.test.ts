// Who may not do what the program needs is told what is missing: credentials, certificates, and each right of the list in docs/kafka.md.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { alterUserScramCredentialsV0, Base } from '@platformatic/kafka';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import { certificateNeeds } from '../brokers/certificates.ts';
import { grant, type Grant } from '../brokers/kafka-acls.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { objects, succeed, writeTexts } from '../cli/fixtures.ts';
import { appendRecords, appendTexts } from '../cli/log-access.ts';
import { createTopics, labelsOf, note, withStarted, writeKafkaConfiguration, type KafkaSettings } from './kafka-program.ts';
import { runProgram, withDirectory } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const password = 'correct horse battery';

/** As docs/kafka.md lists them. */
function rightsOf(prefix: string): readonly Grant[] {
  return [
    ...[...inputTopics, topics.features].map((topic): Grant => ({ on: 'topic', name: prefix + topic, operations: ['READ'] })),
    ...[topics.parked, topics.features, topics.labels, topics.clusterEvents, topics.deadLetters, topics.metrics].map((topic): Grant => ({ on: 'topic', name: prefix + topic, operations: ['WRITE'] })),
    ...allTopics.map((topic): Grant => ({ on: 'topic', name: prefix + topic, operations: ['DESCRIBE_CONFIGS'] })),
    ...['extract', 'cluster'].map((stage): Grant => ({ on: 'group', name: `${prefix}labelstream-${stage}`, operations: ['READ'] })),
    { on: 'transactional-id', name: `${prefix}labelstream-`, prefix: true, operations: ['WRITE'] },
  ];
}

type Missing = Omit<Grant, 'operations'> & { readonly operation: Grant['operations'][number]; readonly told: RegExp };

const noRight = (topic: string, right: string): RegExp => new RegExp(`\\n {2}${topic.replaceAll('.', '\\.')}: rights: this user may not (see whether the topic exists, and needs )?${right}`);
const missingRights: readonly Missing[] = [
  { on: 'topic', name: topics.text, operation: 'READ', told: noRight(topics.text, 'Read') },
  { on: 'topic', name: topics.deadLetters, operation: 'WRITE', told: noRight(topics.deadLetters, 'Write') },
  { on: 'topic', name: topics.labels, operation: 'DESCRIBE_CONFIGS', told: noRight(topics.labels, 'DescribeConfigs') },
  { on: 'group', name: 'labelstream-extract', operation: 'READ', told: /not allowed on the group "\w+\.labelstream-extract"\) \[LS_KAFKA_AUTHORIZATION\]/ },
  { on: 'group', name: 'labelstream-cluster', operation: 'READ', told: /not allowed on the group "\w+\.labelstream-cluster"\) \[LS_KAFKA_AUTHORIZATION\]/ },
  { on: 'transactional-id', name: 'labelstream-', operation: 'WRITE', told: /not allowed on the transactional id "\w+\.labelstream-(extract|cluster)-.*\[LS_KAFKA_AUTHORIZATION\]/ },
];

/** Without one right, wherever that was granted. */
function rightsWithout(prefix: string, { on, name, operation }: Missing): readonly Grant[] {
  return rightsOf(prefix).filter((given) => !(given.on === on && given.name === prefix + name && given.operations.includes(operation)));
}

const users = ['all', 'gone', ...missingRights.map((_, index) => `without${String(index)}`)];

describeWith({ ...(await kafkaNeeds()), ...certificateNeeds() }, 'a secured broker', () => {
  let broker: KafkaBroker;

  beforeAll(async () => {
    broker = await startKafka({ security: { users: Object.fromEntries(users.map((user) => [user, password])) } });
  });

  afterAll(async () => {
    await broker.close();
  });

  /** The same installation twice: as the user, and as the administrator, who may do everything. */
  async function installationOf(directory: string, user: string, settings: Partial<KafkaSettings> = {}): Promise<{ readonly file: string; readonly administrator: string }> {
    const { brokers, certificates } = broker.secured();
    const namePrefix = `${user}.`;
    await writeFile(join(directory, 'ca.pem'), certificates.authority.certificate);
    await writeFile(join(directory, 'strange.pem'), certificates.strangeAuthority.certificate);
    await writeFile(join(directory, 'password'), `${password}\n`);
    const transport = `tls: { enabled: true, caFile: ../ca.pem }, sasl: { mechanism: scram-sha-512, username: ${user}, passwordFile: ../password }`;
    const administrator = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix }, `${user}-administrator`);
    const file = await writeKafkaConfiguration(directory, { brokers, namePrefix, transport, delivery: 'exactly-once', more: 'inference: { workerCount: 1 }\n', ...settings }, user);
    return { file, administrator };
  }

  const inputs = async (administrator: string): Promise<void> => {
    await createTopics(administrator);
    await appendTexts(administrator, { a: 'river', b: 'river', c: 'river' });
    await appendRecords(administrator, { n: note, incomplete: { variance: 1 } });
  };

  test('with the rights that docs/kafka.md lists everything works, of both producers', async () => {
    await withDirectory(async (directory) => {
      const { file, administrator } = await installationOf(directory, 'all');
      await inputs(administrator);
      await grant(broker.brokers, 'all', rightsOf('all.'));
      const done = await succeed('run', '--until-idle', '-c', file);
      expect(done.stderr).not.toContain('AUTHORIZATION');
      expect([...new Set((await labelsOf(administrator)).map(({ itemId }) => itemId))].sort()).toEqual(['s/a', 's/b', 's/c', 's/n']);
      const readers = [['lag'], ['groups', 'reset', '--topic', topics.text, '--to', 'latest']];
      await Promise.all(readers.map((command) => succeed(...command, '-c', file)));
      // What publishes needs more, and is told so.
      const publish = ['publish', 'text', await writeTexts(directory, 'more.jsonl', { d: 'sea' }), '--id-column', 'id', '--source', 's', '-c', file, '--set', 'transport.producer=platformatic'];
      const refused = await runProgram(...publish);
      expect([refused.code, refused.stderr]).toEqual([78, expect.stringMatching(/not allowed on the topic "all\.text\.events"\) \[LS_KAFKA_AUTHORIZATION\]/)]);
      await grant(broker.brokers, 'all', [
        ...[topics.text, topics.redrive, topics.replay].map((topic): Grant => ({ on: 'topic', name: `all.${topic}`, operations: ['WRITE'] })),
        ...[topics.labels, topics.clusterEvents, topics.deadLetters].map((topic): Grant => ({ on: 'topic', name: `all.${topic}`, operations: ['READ'] })),
      ]);
      await succeed(...publish);
      await succeed('tail', 'labels', '--from-start', '--until-end', '-c', file);
      await succeed('dlq', 'redrive', '--code', 'LS_MODEL_INPUT', '-c', file);
      expect((await succeed('forget', 's/a', '-c', file)).stdout).toMatch(/until retention removes it \(text\.events, .*features.*: 14 d after it came at the latest; redrive: 21 d/);
      expect((await succeed('erasure', 'report', '--item', 's/a', '-c', file)).stdout).toMatch(
        /text\.events partition \d, sequence \d+: its input; until the brokers remove it, by retention\.ms and segment\.ms of text\.events, by \S+Z at the latest, if the brokers look/,
      );
      await succeed('run', '--until-idle', '-c', file, '--set', 'transport.producer=platformatic');
      expect(await objects('dlq', 'list', '-c', file)).toHaveLength(2);
    });
  });

  test('one right that is missing is named, with what it is on', async () => {
    await withDirectory(async (directory) => {
      const ended = await Promise.all(
        missingRights.map(async (missing, index) => {
          const user = `without${String(index)}`;
          const { file, administrator } = await installationOf(directory, user, { producer: index % 2 === 0 ? 'kafkajs' : 'platformatic' });
          await inputs(administrator);
          await grant(broker.brokers, user, rightsWithout(`${user}.`, missing));
          return { ...(await runProgram('run', '--until-idle', '-c', file)), missing };
        }),
      );
      // 78: started again it would end in the same way.
      for (const { code, stderr, missing } of ended) expect([code, stderr], `${missing.operation} on ${missing.name}`).toEqual([78, expect.stringMatching(missing.told)]);
    });
  });

  test('a wrong password, mechanism or certificate ends every command with a code, and the password is in no line', async () => {
    await withDirectory(async (directory) => {
      const { file } = await installationOf(directory, 'gone');
      const wrong = join(directory, 'wrong');
      await writeFile(wrong, 'wrong password\n');
      await mkdir(join(directory, 'plain'));
      const { file: plain } = await installationOf(join(directory, 'plain'), 'gone', { brokers: broker.brokers });
      const cases: readonly (readonly [code: string, file: string, ...assignments: string[]])[] = [
        ['LS_KAFKA_AUTHENTICATION', file, `transport.sasl.passwordFile=${wrong}`],
        ['LS_KAFKA_AUTHENTICATION', file, 'transport.sasl.username=nobody'],
        ['LS_KAFKA_AUTHENTICATION', file, 'transport.sasl.mechanism=plain'],
        ['LS_KAFKA_TLS', file, `transport.tls.caFile=${join(directory, 'strange.pem')}`],
      ];
      const ended = await Promise.all(
        cases.map(async ([code, configuration, ...assignments], index) => {
          const command = index % 2 === 0 ? ['run'] : ['lag'];
          return { code, ended: await runProgram(...command, '-c', configuration, ...assignments.flatMap((assignment) => ['--set', assignment]), '--set', 'log.level=trace') };
        }),
      );
      for (const { code, ended: { code: exitCode, stderr, stdout } } of ended) {
        expect([exitCode, stderr]).toEqual([78, expect.stringContaining(`[${code}]`)]);
        expect(stdout + stderr).not.toMatch(/correct horse|wrong password/);
      }
      // Once, in words for people.
      for (const { ended: { stderr } } of ended.filter((_, index) => index % 2 === 1)) expect(stderr).not.toContain('{');
      // What a broker does, too, that is going away: `run` waits.
      const unspoken = await runProgram('lag', '-c', plain);
      expect([unspoken.code, unspoken.stderr]).toEqual([1, expect.stringMatching(/before secure TLS connection was established \[LS_KAFKA_UNREACHABLE\]/)]);
    });
  });

  test('SASL that is left out, or not asked for, is named', async () => {
    await withDirectory(async (directory) => {
      await mkdir(join(directory, 'superfluous'));
      const { file: without } = await installationOf(directory, 'gone', { transport: 'tls: { enabled: true, caFile: ../ca.pem }' });
      const sasl = `sasl: { mechanism: scram-sha-512, username: gone, passwordFile: ../password }`;
      const { file: superfluous } = await installationOf(join(directory, 'superfluous'), 'gone', { brokers: broker.brokers, transport: sasl });
      const [missing, refused] = await Promise.all([without, superfluous].map((file) => runProgram('lag', '-c', file)));
      expect([missing?.code, missing?.stderr]).toEqual([1, expect.stringMatching(/\(as a port does that asks for SASL \(transport\.sasl\), or a broker that is going away\) \[LS_KAFKA_UNREACHABLE\]/)]);
      expect([refused?.code, refused?.stderr]).toEqual([78, expect.stringMatching(/\(this port does not ask for SASL: leave out transport\.sasl, or name one that does\) \[LS_KAFKA_AUTHENTICATION\]/)]);
    });
  });

  test('credentials that are taken away while it runs end it with a code, not again and again', async () => {
    await withDirectory(async (directory) => {
      const { file, administrator } = await installationOf(directory, 'gone');
      await createTopics(administrator);
      await grant(broker.brokers, 'gone', rightsOf('gone.'));
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await forgetUser(broker.brokers, 'gone');
        // Who is connected stays so; who connects again is asked again.
        await broker.restart();
        const { code, stderr } = await run!.finished;
        expect([code, stderr]).toEqual([1, expect.stringContaining('[LS_KAFKA_AUTHENTICATION]')]);
        expect(stderr).not.toContain('correct horse');
      });
      const again = await runProgram('run', '-c', file);
      expect([again.code, again.stderr]).toEqual([78, expect.stringContaining('[LS_KAFKA_AUTHENTICATION]')]);
    });
  });
});

const scramSha512 = 2;

async function forgetUser(brokers: string, name: string): Promise<void> {
  const client = new Base({ clientId: 'administrator', bootstrapBrokers: [brokers] });
  try {
    const [connection] = (await client.connectToBrokers()).values();
    await alterUserScramCredentialsV0.api.async(connection!, [{ name, mechanism: scramSha512 }], []);
  } finally {
    await client.close();
  }
}
