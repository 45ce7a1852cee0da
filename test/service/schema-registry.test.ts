// The whole service beside a schema registry: what comes in Confluent's format is labelled, and what goes out in it can be read by others.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import avsc from 'avsc';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import type { Access } from '../../src/open-access.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { createProcessContext, type ServiceContext } from '../../src/process-context.ts';
import { startService, type Service } from '../../src/service.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { certificateNeeds, makeCertificates } from '../brokers/certificates.ts';
import { startSchemaRegistry, type RegistryOptions, type SchemaRegistry } from '../brokers/schema-registry.ts';
import { objects, succeed, textsConfiguration, topicContents, withLog, writeEncoder, writeTexts } from '../cli/fixtures.ts';
import { ownSchemaText } from '../codec/registry/registry-fixture.ts';
import { testWith } from '../requirements.ts';
import { jsonLines, runProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 120_000 });

const opened: SchemaRegistry[] = [];
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
});

async function openRegistry(options?: RegistryOptions): Promise<SchemaRegistry> {
  const registry = await startSchemaRegistry(options);
  opened.push(registry);
  return registry;
}

type Started = { readonly service: Service; readonly access: Access; readonly context: ServiceContext; readonly logged: () => string };

async function withService<Result>(file: string, use: (started: Started) => Promise<Result>): Promise<Result> {
  let text = '';
  const lines = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const { configuration, mistakes } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [...tasks.values()] });
  if (configuration === undefined) throw new Error(JSON.stringify(mistakes));
  const context = await createProcessContext(pino({ level: 'debug' }, lines));
  const service = await startService(configuration, context, new AbortController().signal);
  try {
    return await use({ service, access: service.access, context, logged: () => text });
  } finally {
    await service.stop();
  }
}

async function configured(directory: string, registry: string): Promise<string> {
  await writeEncoder(directory);
  return writeConfiguration(directory, `${textsConfiguration()}transport: { partitionCount: 1 }\nregistry: { ${registry} }\n`);
}

/** A producer that knows nothing of this program but the schema. */
async function foreignProducer(registry: SchemaRegistry) {
  const schema = await ownSchemaText('TextEvent');
  const { id } = registry.subjects.register('text.events-value', schema);
  const type = avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema);
  return (item: string, text: string): OutputRecord => {
    const body = type.toBuffer({ id: item, source: 's', occurredAt: 1_700_000_000_000, text, language: null, collection: null, attributes: {}, tasks: [], deleted: false });
    return inConfluentFormat(id, body);
  };
}

function inConfluentFormat(id: number, body: Buffer, topic: string = topics.text): OutputRecord {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return { topic, partition: 0, key: null, value: Buffer.concat([header, body]), headers: noHeaders };
}

async function contentsOf({ transport }: Pick<Access, 'transport'>, topic: string): Promise<readonly ConsumedRecord[]> {
  const place = { topic, partition: 0 };
  const { start, end } = await transport.bounds(place);
  if (start.position === end.position) return [];
  return transport.read(place, start.position, { records: 1_000, bytes: 8 * 1024 * 1024 }, new AbortController().signal);
}

/** A consumer that knows nothing of this program but the registry. */
function readByRegistry(registry: SchemaRegistry, { value }: ConsumedRecord): Readonly<Record<string, unknown>> {
  expect(value[0]).toBe(0);
  const { schema } = registry.subjects.schemaOf(value.readInt32BE(1));
  const type = avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema);
  return { name: type.name, ...(type.fromBuffer(value.subarray(5)) as Readonly<Record<string, unknown>>) };
}

const codesOf = (records: readonly ConsumedRecord[]): readonly (string | undefined)[] => records.map(({ headers }) => headers.get(headerNames.errorCode)?.toString()).sort();

test("texts in Confluent's format are labelled, outputs in it are read by others, and the commands decode both", async () => {
  const registry = await openRegistry({ authentication: { basic: { username: 'me', password: 'open sesame' } } });
  const text = await foreignProducer(registry);
  const foreign = registry.subjects.register('orders', '{"type":"record","name":"shop.Order","fields":[]}').id;
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'password'), 'open sesame\n');
    const file = await configured(directory, `urls: ["${registry.url}"], auth: { basic: { username: me, passwordFile: password } }, encode: confluent, registerSchemas: true`);
    const logged = await withService(file, async ({ service, access, logged: said }) => {
      await access.transport.append([text('a', 'river'), text('b', 'river'), text('c', 'river'), inConfluentFormat(999, Buffer.alloc(3)), inConfluentFormat(foreign, Buffer.alloc(0)), text('d', 'sea')]);
      await service.untilIdle();
      const labels = (await contentsOf(access, topics.labels)).map((record) => readByRegistry(registry, record));
      expect(labels.map(({ name, itemId }) => [name, itemId])).toEqual(expect.arrayContaining(['a', 'b', 'c'].map((id) => ['labelstream.v1.LabelEvent', `s/${id}`])));
      const features = (await contentsOf(access, topics.features)).map((record) => readByRegistry(registry, record));
      expect(new Set(features.map(({ name }) => name))).toEqual(new Set(['labelstream.v1.ControlEvent', 'labelstream.v1.FeatureEvent']));
      const letters = await contentsOf(access, topics.deadLetters);
      expect(codesOf(letters)).toEqual(['LS_REGISTRY_SCHEMA_FOREIGN', 'LS_REGISTRY_SCHEMA_UNKNOWN']);
      expect(letters.map(({ headers }) => headers.get(headerNames.errorSchemaId)?.toString()).sort()).toEqual([`registry:${foreign}`, 'registry:999']);
      return said();
    });
    expect(logged).not.toContain('sesame');
    expect(registry.subjects.names()).toContain('features-labelstream.v1.ControlEvent');
    // The commands: by the same codec.
    expect((await topicContents(file, topics.text)).map(({ schema }) => schema)).toEqual(['TextEvent', 'TextEvent', 'TextEvent', null, null, 'TextEvent']);
    expect(await objects('clusters', 'list', '-c', file)).toMatchObject([{ size: 3 }]);
    const [letter] = await objects('dlq', 'list', '--code', 'LS_REGISTRY_SCHEMA_UNKNOWN', '-c', file);
    expect((await objects('dlq', 'show', String(letter?.['id']), '-c', file))[0]).toMatchObject({ schema: null, message: expect.stringContaining('schema 999') as string });
    await succeed('publish', 'text', await writeTexts(directory, 'more.jsonl', { e: 'river' }), '--id-column', 'id', '--source', 's', '-c', file);
    await succeed('forget', 's/a', '-c', file);
    await withLog(file, async (access) => {
      expect(readByRegistry(registry, (await contentsOf(access, topics.text)).at(-1)!)).toMatchObject({ name: 'labelstream.v1.TextEvent', id: 'e', text: 'river' });
      expect(readByRegistry(registry, (await contentsOf(access, topics.features)).at(-1)!)).toMatchObject({ name: 'labelstream.v1.ControlEvent' });
    });
    await succeed('run', '--until-idle', '-c', file);
    const [cluster] = await objects('clusters', 'list', '-c', file);
    expect(cluster).toMatchObject({ size: 3 });
    // While the registry is away the commands say so, instead of waiting.
    await registry.stop();
    const tailed = await runProgram('tail', topics.text, '--from-start', '--until-end', '-c', file);
    expect(tailed.code).toBe(0);
    expect(tailed.stdout).toContain('bytes that cannot be decoded now: LS_REGISTRY_UNAVAILABLE');
    expect(tailed.stderr).toContain('LS_REGISTRY_UNAVAILABLE');
    const refused = await runProgram('publish', 'text', join(directory, 'more.jsonl'), '--id-column', 'id', '--source', 's', '-c', file);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('LS_REGISTRY_UNAVAILABLE');
    for (const { stdout, stderr } of [tailed, refused]) expect(stdout + stderr).not.toContain('sesame');
  });
});

test('an outage of the registry is waited for and told; no text is lost, none becomes a dead letter', async () => {
  const registry = await openRegistry();
  const text = await foreignProducer(registry);
  await withDirectory(async (directory) => {
    const file = await configured(directory, `urls: ["${registry.url}"]`);
    await withService(file, async ({ service, access, context, logged }) => {
      await registry.stop();
      await access.transport.append(['a', 'b', 'c'].map((id) => text(id, 'river')));
      await vi.waitUntil(() => !context.readiness.state().ready, { timeout: 30_000 });
      expect(context.readiness.state().reasons).toEqual([expect.stringMatching(/^waiting for the schema registry: GET \/schemas\/ids\/1 .*ECONNREFUSED/)]);
      expect(await context.metrics.registry.metrics()).toContain('labelstream_schema_registry_unavailable 1');
      const told = jsonLines(logged()).find(({ code }) => code === 'LS_REGISTRY_UNAVAILABLE');
      expect(told).toMatchObject({ level: 50, msg: 'waiting for the schema registry' });
      await registry.start();
      await service.untilIdle();
      expect(context.readiness.state()).toMatchObject({ ready: true, reasons: [] });
      expect(await context.metrics.registry.metrics()).toContain('labelstream_schema_registry_unavailable 0');
      expect(await contentsOf(access, topics.deadLetters)).toEqual([]);
      const labels = (await contentsOf(access, topics.labels)).map(({ value }) => access.codec.decodeAs('LabelEvent', value).itemId);
      expect(new Set(labels)).toEqual(new Set(['s/a', 's/b', 's/c']));
      expect(registry.requests()).toHaveLength(1);
    });
  });
});

test('a service that waits for the registry can be stopped, and does its work the next time', async () => {
  const registry = await openRegistry();
  const text = await foreignProducer(registry);
  await withDirectory(async (directory) => {
    const file = await configured(directory, `urls: ["${registry.url}"] }\nshutdown: { deadlineMs: 400`);
    await registry.stop();
    await withService(file, async ({ access, context }) => {
      await access.transport.append([text('a', 'river')]);
      await vi.waitUntil(() => !context.readiness.state().ready, { timeout: 30_000 });
    });
    await registry.start();
    await withService(file, async ({ service, access }) => {
      await service.untilIdle();
      expect(await contentsOf(access, topics.deadLetters)).toEqual([]);
      expect(await contentsOf(access, topics.labels)).not.toEqual([]);
    });
  });
});

test('CLUSTER stops at a record whose schema the registry does not have, and at one where there is no registry: it may not depend on it', async () => {
  const registry = await openRegistry();
  await withDirectory(async (directory) => {
    const file = await configured(directory, `urls: ["${registry.url}"]`);
    await withService(file, async ({ service, access }) => {
      await access.transport.append([inConfluentFormat(999, Buffer.alloc(0), topics.features)]);
      expect((await service.failed).message).toContain('schema 999, which the schema registry does not have');
      expect(await contentsOf(access, topics.deadLetters)).toEqual([]);
    });
    const without = await writeConfiguration(directory, `${textsConfiguration()}transport: { partitionCount: 1 }\n`);
    const started = await runProgram('run', '--until-idle', '-c', without);
    expect(started.code).not.toBe(0);
    expect(started.stderr).toContain('none is configured');
  });
});

testWith(certificateNeeds(), 'over TLS, with an authority of its own, a certificate of the client and a token', { timeout: 120_000 }, async () => {
  await withDirectory(async (directory) => {
    const certificates = await makeCertificates(directory);
    const registry = await openRegistry({ tls: { certificates, clientCertificateRequired: true }, authentication: { bearer: 'open-sesame' } });
    const text = await foreignProducer(registry);
    await writeFile(join(directory, 'token'), 'wrong-sesame');
    const { authority, client, strangeAuthority } = certificates;
    const settings = (ca: string) =>
      `urls: ["${registry.url}"], auth: { bearer: { tokenFile: token } }, tls: { caFile: "${ca}", certificateFile: "${client.certificatePath}", keyFile: "${client.keyPath}" }`;
    const tail = async (file: string) => runProgram('tail', topics.text, '--from-start', '--until-end', '-c', file);
    const file = await configured(directory, settings(authority.certificatePath));
    await withService(file, async ({ service, access, context, logged }) => {
      await access.transport.append(['a', 'b', 'c'].map((id) => text(id, 'river')));
      await vi.waitUntil(() => logged().includes('LS_REGISTRY_DENIED'), { timeout: 30_000 });
      expect(context.readiness.state().ready).toBe(false);
      // The token is mended while the service waits.
      await writeFile(join(directory, 'token'), 'open-sesame\n');
      await service.untilIdle();
      expect(await contentsOf(access, topics.deadLetters)).toEqual([]);
      expect(logged()).not.toContain('sesame');
    });
    const trusting = await tail(file);
    expect(trusting.stdout).toContain('s/a river');
    const misled = await tail(await configured(directory, settings(strangeAuthority.certificatePath)));
    expect(misled.stderr).toMatch(/LS_REGISTRY_UNAVAILABLE.*certificate/);
    const anonymous = await tail(await configured(directory, `urls: ["${registry.url}"], auth: { bearer: { tokenFile: token } }, tls: { caFile: "${authority.certificatePath}" }`));
    expect(anonymous.stderr).toContain('LS_REGISTRY_UNAVAILABLE');
    for (const { stderr } of [trusting, misled, anonymous]) expect(stderr).not.toContain('sesame');
    const missing = await configured(directory, settings(join(directory, 'missing.pem')));
    const validated = await runProgram('validate', '-c', missing);
    expect(validated.code).not.toBe(0);
    expect(validated.stdout + validated.stderr).toContain('LS_REGISTRY_CREDENTIALS_FILE');
  });
});

test('a schema that is to be found and is not registered ends the start, with what to do', async () => {
  const registry = await openRegistry();
  await withDirectory(async (directory) => {
    const file = await configured(directory, `urls: ["${registry.url}"], encode: confluent`);
    const started = await runProgram('run', '--until-idle', '-c', file);
    expect(started.code).not.toBe(0);
    expect(started.stderr).toContain('LS_REGISTRY_NOT_REGISTERED');
    expect(started.stderr).toContain('registry.registerSchemas: true');
    registry.subjects.setCompatibility('FULL');
    registry.subjects.register('text.events-labelstream.v1.TextEvent', JSON.stringify({ type: 'record', name: 'labelstream.v1.TextEvent', fields: [{ name: 'other', type: 'int' }] }));
    const registering = await runProgram('run', '--until-idle', '-c', file, '--set', 'registry.registerSchemas=true');
    expect(registering.code).not.toBe(0);
    expect(registering.stderr).toContain('LS_REGISTRY_REGISTRATION');
  });
});
