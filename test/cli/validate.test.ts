// What is wrong with a configuration is told at once, with line and remedy, as exit code 78: by its text, by the files it names, by the log.
import { execFile } from 'node:child_process';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { detectorDirectory } from '../models/boxes/pixel-detector.ts';
import { tinyDirectory } from '../models/transformers/tiny-models.ts';
import { jsonLines, repository, runProgram, startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, notesConfiguration, succeed, textsConfiguration, writeEncoder } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

test('a valid configuration is exit code 0', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    expect((await succeed('validate', '-c', file)).stdout).toBe(`${file} is valid\n`);
    expect((await succeed('validate', '-c', file, '--json')).stdout).toBe('');
  });
});

test('a configuration that processes nothing is valid, and is told to be so', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, '\n');
    expect(await runProgram('validate', '-c', file)).toMatchObject({ code: 0, stdout: `${file} is valid\n`, stderr: `${file} has no routes: no event would be processed\n` });
  });
});

test('mistakes of the text: every one, for people and as JSON', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `delivery: twice\nserver:\n  prot: 1\n${notesConfiguration.replace('dataDirectory: data\nserver: { enabled: false }\n', '')}`);
    const { code, stdout, stderr } = await runProgram('validate', '-c', file);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^labelstream: .* has 2 mistakes\n/);
    expect(stderr).toMatch(/labelstream\.yaml:1: delivery: .* \[LS_CONFIG_VALUE\]\n {2}Give a value/);
    expect(stderr).toMatch(/labelstream\.yaml:3: there is no setting "server\.prot" \[LS_CONFIG_KEY_UNKNOWN\]\n {2}Correct or remove/);
    const json = await runProgram('validate', '-c', file, '--json');
    // What standard output has already is only counted.
    expect(json).toMatchObject({ code: 78, stderr: `labelstream: ${file} has 2 mistakes\n` });
    expect(jsonLines(json.stdout)).toMatchObject([
      { file, line: 1, code: 'LS_CONFIG_VALUE', path: ['delivery'] },
      { file, line: 3, code: 'LS_CONFIG_KEY_UNKNOWN', path: ['server', 'prot'] },
    ]);
    // What refuses to be validated refuses to run, in the same words.
    expect(await runProgram('run', '-c', file)).toMatchObject({ code: 78, stderr });
  });
});

test('a file that is not there, and one that is a directory', async () => {
  await withDirectory(async (directory) => {
    const missing = await runProgram('run', '-c', join(directory, 'none.yaml'));
    expect(missing.code).toBe(78);
    expect(missing.stderr).toMatch(/none\.yaml: the file cannot be read: ENOENT.* \[LS_CONFIG_FILE\]\n {2}Check the path/);
    expect(await runProgram('publish', 'text', 'x.txt', '-c', directory)).toMatchObject({ code: 1 });
    expect(await runProgram('tail', 'labels', '-c', directory)).toMatchObject({ code: 78, stderr: expect.stringContaining('EISDIR') as string });
  });
});

test('flags win over the environment, which wins over the file', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}group: "\${GROUP:-from-default}"\n`);
    const group = async (environment: Record<string, string>, ...flags: string[]): Promise<string> => {
      const { code, stderr } = await startProgram(['validate', '-c', file, ...flags], environment).finished;
      return code === 0 ? 'valid' : stderr;
    };
    expect(await group({ GROUP: 'A B' })).toContain('labelstream.yaml:6: group: ');
    expect(await group({ GROUP: 'A B', LABELSTREAM_GROUP: 'good' })).toBe('valid');
    expect(await group({ LABELSTREAM_GROUP: 'A B' }, '--set', 'group=good')).toBe('valid');
    expect(await group({}, '--set', 'grup=x')).toContain('--set grup names no setting that can be set so [LS_CONFIG_KEY_UNKNOWN]');
  });
});

test('secrets: those that stand in the file or on the command line are warned of, and none is ever repeated', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}registry: { urls: ["http://127.0.0.1:1"], auth: { bearer: { token: open-sesame } } }\n`);
    const outcomes = [
      await runProgram('validate', '-c', file),
      await runProgram('validate', '-c', file, '--set', 'registry.auth.bearer.token=open-sesame'),
      await runProgram('validate', '-c', file, '--set', 'registry.auth.bearer.tokn=open-sesame'),
      await runProgram('validate', '-c', file, '--set', 'registry.auth.bearer.token:open-sesame'),
      await runProgram('run', '--until-idle', '-c', file),
    ];
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 78, 2, 0]);
    const warning = 'registry.auth.bearer.token is a secret that whoever reads the file sees; use tokenFile, or the variable LABELSTREAM_REGISTRY__AUTH__BEARER__TOKEN';
    for (const index of [0, 1, 4]) expect(outcomes[index]?.stderr).toContain(warning);
    expect(outcomes[0]?.stderr).toMatch(/labelstream\.yaml:\d+: registry/);
    expect(outcomes[1]?.stderr).toContain('--set: registry.auth.bearer.token is a secret that whoever lists the processes sees');
    expect(JSON.stringify(outcomes)).not.toContain('open-sesame');
  });
});

test('a step that names classes for a model with its own, none for one without, or another task', async () => {
  await withDirectory(async (directory) => {
    for (const name of ['detr', 'owlvit', 'clip'] as const) await tinyDirectory(name, { directory: join(directory, name) });
    await detectorDirectory(join(directory, 'pixels'));
    const file = await writeConfiguration(directory, `models:
  detr: { directory: detr }
  owlvit: { directory: owlvit }
  clip: { directory: clip }
  pixels: { directory: pixels }
routes:
  - name: images
    from: media
    steps:
      - { name: own, task: object-detection, model: detr, classes: [a] }
      - { name: boxes, task: object-detection, model: pixels, classes: [a] }
      - { name: sure, task: object-detection, model: pixels, config: { threshold: 0.9, nms_threshold: 0.5, top_k: 3 } }
      - { name: none, task: object-detection, model: owlvit }
      - { name: other, task: object-detection, model: clip, classes: [a] }
      - { name: good, task: object-detection, model: owlvit, classes: [a] }
`);
    const { code, stderr } = await runProgram('validate', '-c', file);
    expect(code, stderr).toBe(78);
    expect(stderr).toMatch(/has 4 mistakes\n/);
    expect(stderr).toContain('the step boxes of route images names classes, and its model pixel-detector takes none');
    expect(stderr).toContain('the step own of route images names classes, and its model tiny-detr takes none');
    expect(stderr).toContain('the step none of route images names no classes, and its model tiny-owlvit has none of its own');
    expect(stderr).toContain('asks for object-detection, but its model tiny-clip is made for zero-shot-image-classification');
  });
});

test('mistakes of the models and schemas that the file names', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    await mkdir(join(directory, 'schemas'));
    await writeFile(join(directory, 'schemas', 'bad.avsc'), '{');
    await mkdir(join(directory, 'no-json'));
    await writeFile(join(directory, 'no-json', 'manifest.json'), '{');
    const file = await writeConfiguration(directory, `schemaDirectories:
  - schemas
models:
  gone: { directory: gone }
  broken: { directory: no-json }
  notes: { directory: MODELS/banknote-classifier, executionProviders: [{ name: abacus, rows: 10 }, cpu] }
  encoder: { directory: encoder }
routes:
  - name: notes
    from: record
    steps: [{ name: predict, task: record-prediction, model: encoder }]
`);
    const mistakes = [
      /labelstream\.yaml:6: .*no execution provider "abacus" in this build of onnxruntime; there are: cpu.* \[LS_MODEL_PROVIDER\]\n {2}Take it out/,
      /labelstream\.yaml:2: .*bad\.avsc.* \[LS_CODEC_SCHEMA_INVALID\]/,
      /labelstream\.yaml:4: models\.gone\.directory: there is no .*manifest\.json \[LS_MODEL_NOT_FOUND\]\n {2}Name the directory of a model/,
      /labelstream\.yaml:5: models\.broken\.directory: .* is no JSON.* \[LS_MODEL_MANIFEST\]/,
      /labelstream\.yaml:11: .*the step predict of route notes asks for record-prediction, but its model test-encoder is made for text-features \[LS_CONFIG_COMBINATION\]/,
    ];
    const validated = await runProgram('validate', '-c', file);
    const run = await runProgram('run', '-c', file);
    for (const { code, stderr } of [validated, run]) {
      expect(code, stderr).toBe(78);
      expect(stderr).toMatch(/has 5 mistakes\n/);
      for (const mistake of mistakes) expect(stderr).toMatch(mistake);
    }
  });
});

test('files with secrets and certificates that are not there, or are empty', async () => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'empty'), '\n');
    const file = await writeConfiguration(directory, `transport:
  kind: kafka
  brokers: ["127.0.0.1:1"]
  tls: { enabled: true, caFile: absent.pem }
  sasl: { mechanism: plain, username: u, passwordFile: empty }
state: { kind: blob, containerUrl: "https://127.0.0.1:1/account/snapshots", sasTokenFile: absent }
registry: { urls: ["http://127.0.0.1:1"], auth: { bearer: { tokenFile: absent } } }
`);
    for (const command of [['validate'], ['run', '--until-idle']]) {
      const { code, stderr } = await runProgram(...command, '-c', file);
      expect(code, stderr).toBe(78);
      expect(stderr).toMatch(/has 4 mistakes\n/);
      expect(stderr).toMatch(/labelstream\.yaml:4: transport\.tls: \S*absent\.pem cannot be read: ENOENT\. \[LS_KAFKA_CREDENTIALS_FILE\]/);
      expect(stderr).toMatch(/labelstream\.yaml:5: transport\.sasl: \S*empty holds no password\. \[LS_KAFKA_CREDENTIALS_FILE\]/);
      expect(stderr).toMatch(/labelstream\.yaml:6: state: .*ENOENT.*absent.* \[LS_STATE_CREDENTIALS\]/);
      expect(stderr).toMatch(/labelstream\.yaml:7: registry\.auth\.bearer\.tokenFile: .*absent.* \[LS_REGISTRY_CREDENTIALS_FILE\]/);
    }
  });
});

test('a model that is not reproducible feeds a collection only where the configuration says so', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory, { reproducible: false });
    const refused = await writeConfiguration(directory, textsConfiguration());
    for (const command of [['validate'], ['run', '--until-idle']]) {
      const { code, stderr } = await runProgram(...command, '-c', refused);
      expect(code, stderr).toBe(78);
      expect(stderr).toMatch(
        /labelstream\.yaml:7: .*the collection texts depends on the model encoder, whose manifest says reproducible: false \[LS_CONFIG_COMBINATION\]\n {2}Use a model .*allowUnreproducible: true/,
      );
    }
    const allowed = await writeConfiguration(directory, textsConfiguration('eps: 0.05, minPoints: 3, allowUnreproducible: true'));
    await succeed('validate', '-c', allowed);
    await succeed('run', '--until-idle', '-c', allowed);
  });
});

test('a model that is not reproducible chooses no collection by its label, either, but labels freely', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const labels = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await writeEncoder(directory, { name: 'topics', task: 'text-classification', labels, postprocessing: { kind: 'scores', output: 'embedding' }, reproducible: false }, 'topics');
    const configuration = (name: string): string => `
models: { encoder: { directory: encoder }, topics: { directory: topics } }
routes:
  - name: texts
    from: text
    steps:
      - { name: embed, task: text-features, model: encoder, collection: "${name}" }
      - { name: topic, task: text-classification, model: topics }
collections:
  - { name: "${name}", eps: 0.05, minPoints: 3 }
`;
    const { code, stderr } = await runProgram('validate', '-c', await writeConfiguration(directory, configuration('${labels.topic|none}')));
    expect([code, stderr]).toEqual([78, expect.stringMatching(/labelstream\.yaml:10: .*depends on the model topics, whose manifest says reproducible: false/)]);
    await succeed('validate', '-c', await writeConfiguration(directory, configuration('texts')));
  });
});

test('a model whose file is damaged or gone is refused by validate and by run', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration());
    await appendFile(join(directory, 'encoder', 'model.onnx'), 'x');
    const damaged = await runProgram('validate', '-c', file);
    expect([damaged.code, damaged.stderr]).toEqual([78, expect.stringMatching(/labelstream\.yaml:4: .* \[LS_MODEL_HASH\]\n {2}Restore the file/)]);
    expect(await runProgram('run', '-c', file)).toMatchObject({ code: 78, stderr: expect.stringContaining('LS_MODEL_HASH') as string });
    await rm(join(directory, 'encoder', 'model.onnx'));
    expect(await runProgram('validate', '-c', file)).toMatchObject({ code: 78, stderr: expect.stringContaining('LS_MODEL_FILE_MISSING') as string });
  });
});

test('a definition that the log contradicts stops run with its line and a remedy; a raised version goes on', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const run = async (collection: string): Promise<{ code: number | null; stderr: string }> =>
      runProgram('run', '-c', await writeConfiguration(directory, textsConfiguration(collection)), '--until-idle');
    expect((await run('version: 2, eps: 0.05, minPoints: 3')).code).toBe(0);
    const conflict = await run('version: 2, eps: 0.1, minPoints: 3');
    expect([conflict.code, conflict.stderr]).toEqual([
      78, expect.stringMatching(/labelstream\.yaml:7: .*Version 2 of texts is in the log with another eps\. \[LS_CLUSTER_DEFINITION_CONFLICT\]\n {2}Raise the version/),
    ]);
    const stale = await run('version: 1, eps: 0.05, minPoints: 3');
    expect([stale.code, stale.stderr]).toEqual([78, expect.stringMatching(/labelstream\.yaml:7: .* \[LS_CLUSTER_DEFINITION_STALE\]\n {2}Use the configuration/)]);
    expect((await run('version: 3, eps: 0.1, minPoints: 3')).code).toBe(0);
  });
});

test('another partition count than the log has is refused by every command', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await makeLog(file);
    const { code, stderr } = await runProgram('tail', 'labels', '-c', file, '--until-end', '--set', 'transport.partitionCount=3');
    expect([code, stderr]).toEqual([78, expect.stringContaining('[LS_TRANSPORT_PARTITION_COUNT]')]);
  });
});

test('models verify: exit code 0 for a good model, 1 for one that fails', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    expect((await succeed('models', 'verify', join(repository, 'models/banknote-classifier'))).stdout).toMatch(/^banknote-classifier .*: ok\n/);
    await appendFile(join(directory, 'encoder', 'model.onnx'), 'x');
    const { code, stdout, stderr } = await runProgram('models', 'verify', join(directory, 'encoder'), join(directory, 'none'));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^test-encoder 1\.0\.0: FAILED\n[^]*LS_MODEL_HASH[^]*\nnone: FAILED\n[^]*LS_MODEL_NOT_FOUND/);
    expect(stderr).toMatch(/not fit for use: test-encoder, none \[LS_CLI_MODEL_UNFIT\]\n {2}See the first check that failed\. `manifest`, `files`: name the directory/);
  });
});

test('a configuration may come through a pipe, which can be read once', async () => {
  const notes = `dataDirectory: /nowhere/data
models: { notes: { directory: ${join(repository, 'models/banknote-classifier')} } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
`;
  await withDirectory(async (directory) => {
    const file = join(directory, 'notes.yaml');
    await writeFile(file, notes);
    const program = `'${process.execPath}' '${join(repository, 'bin/labelstream.js')}'`;
    const { stdout } = await promisify(execFile)('sh', ['-c', `cat '${file}' | ${program} validate -c /dev/stdin`]);
    expect(stdout).toBe('/dev/stdin is valid\n');
  });
});
