// The Dockerfile, the compose file and what they mount hold together, also where no container engine can try them.
import { spawn } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
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
  const forReaders = ['examples/*.yaml', 'examples/indexer.ts', 'docs', 'deploy/alerts.yaml', 'ARCHITECTURE.md'];
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

type ComposeService = { readonly volumes?: string[]; readonly build?: { readonly dockerfile: string }; readonly read_only?: boolean; readonly tmpfs?: string[] };

test('what compose.yaml builds and mounts is there; the service writes to its volume only', async () => {
  const { services } = parse(await readFile(join(root, 'compose.yaml'), 'utf8')) as { services: Record<string, ComposeService> };
  for (const { volumes = [] } of Object.values(services)) {
    for (const volume of volumes.filter((each) => each.startsWith('./'))) await access(join(root, volume.split(':')[0] ?? ''));
  }
  const service = services['labelstream'];
  await access(join(root, service?.build?.dockerfile ?? 'none'));
  expect(service).toMatchObject({ read_only: true, tmpfs: ['/tmp'], volumes: ['data:/data'] });
});

const examples = (await readdir(join(root, 'examples'))).filter((entry) => entry.endsWith('.yaml')).map((entry) => join('examples', entry));

test.each(['deploy/labelstream.yaml', ...examples])('%s is a valid configuration', async (file) => {
  const loaded = await loadConfiguration({ file: join(root, file), environment: {}, assignments: [], tasks: [...tasks.values()] });
  expect(loaded.mistakes).toEqual([]);
});
