import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { loadConfiguration, parseConfiguration, type LoadedConfiguration } from '../../src/config/load.ts';
import { misspeltVariables } from '../../src/config/overrides.ts';
import { parseTaskConfig } from '../../src/core/task-config.ts';
import { tasks } from '../../src/tasks/registry.ts';

const valid = `
dataDirectory: \${DIRECTORY:-data}
models:
  encoder: { directory: models/encoder }
  topics: { directory: /models/topics, revision: 2 }
routes:
  - name: news
    from: text
    steps:
      - { name: embed, task: text-features, model: encoder, collection: "news-\${labels.topic|other}" }
      - { name: topic, task: text-classification, model: topics }
collections:
  - name: "news-\${labels.topic|other}"
    eps: 0.3
    minPoints: 5
`;

type Overrides = { environment?: Record<string, string>; assignments?: readonly string[] };

function parse(text: string, { environment = {}, assignments = [] }: Overrides = {}): LoadedConfiguration {
  return parseConfiguration(text, { file: '/etc/labelstream/config.yaml', environment, assignments, tasks: [...tasks.values()] });
}

function mistakes(text: string, overrides?: Overrides): string[] {
  return parse(text, overrides).mistakes.map(({ code, line, message }) => `${String(line)} ${code} ${message}`);
}

describe('a valid configuration', () => {
  test('says when a model is loaded and what computes it', () => {
    const { configuration } = parse(valid.replace('directory: models/encoder }', 'directory: models/encoder, preload: false, executionProviders: [{ name: cuda, deviceId: 1 }, cpu] }'));
    expect(configuration?.models['encoder']).toMatchObject({ preload: false, executionProviders: [{ name: 'cuda', deviceId: 1 }, 'cpu'] });
    expect(configuration?.inference).toMatchObject({ streamShareMin: 0.25 });
    expect(configuration?.inference.memoryBytesMax).toBeUndefined();
    const wrong = mistakes(valid.replace('directory: models/encoder }', 'directory: models/encoder, executionProviders: [{ deviceId: 1 }] }').concat('inference: { streamShareMin: 1 }\n'));
    expect(wrong).toEqual([expect.stringMatching(/^4 LS_CONFIG_VALUE models\.encoder\.executionProviders/), expect.stringMatching(/LS_CONFIG_VALUE inference\.streamShareMin/)]);
  });

  test('gets defaults, absolute paths and routes in the order of their needs, and is frozen', () => {
    const { configuration } = parse(valid);
    expect(configuration).toMatchObject({ delivery: 'at-least-once', dataDirectory: '/etc/labelstream/data', server: { port: 9464 } });
    expect(configuration?.models).toEqual({
      encoder: { directory: '/etc/labelstream/models/encoder', revision: 1, preload: true },
      topics: { directory: '/models/topics', revision: 2, preload: true },
    });
    expect(configuration?.routes[0]?.steps.map(({ name }) => name)).toEqual(['topic', 'embed']);
    expect(Object.isFrozen(configuration?.server)).toBe(true);
  });

  test('has its snapshots in a directory, or in a blob container with its secrets in files beside it', () => {
    expect(parse(valid).configuration?.state).toEqual({ kind: 'directory' });
    const state = 'state: { kind: blob, containerUrl: "https://account.blob.core.windows.net/snapshots", sasTokenFile: secrets/sas, prefix: eu/news }';
    expect(parse(`${state}\n${valid}`).configuration?.state).toMatchObject({ kind: 'blob', sasTokenFile: '/etc/labelstream/secrets/sas', prefix: 'eu/news' });
    for (const mistaken of ['containerUrl: "https://account/container?sig=x"', 'containerUrl: "https://account"', 'container: Upper', 'prefix: /x', 'prefix: a//b', 'sasToken: ""']) {
      expect(mistakes(`state: { kind: blob, ${mistaken} }`).join('\n'), mistaken).toContain('LS_CONFIG_VALUE');
    }
  });

  test('an empty file is the default configuration', () => {
    expect(parse('').configuration).toMatchObject({ group: 'labelstream', routes: [] });
  });
});

describe('the order of sources', () => {
  test('a flag wins over the environment, the environment over the file', () => {
    const text = 'server: { port: 1 }';
    expect(parse(text).configuration?.server.port).toBe(1);
    expect(parse(text, { environment: { LABELSTREAM_SERVER__PORT: '2' } }).configuration?.server.port).toBe(2);
    expect(parse(text, { environment: { LABELSTREAM_SERVER__PORT: '2' }, assignments: ['server.port=3'] }).configuration?.server.port).toBe(3);
  });

  test('a setting of text keeps its text, a number its number', () => {
    const { configuration } = parse('', { environment: { LABELSTREAM_GROUP: '007' }, assignments: ['extract.holdMsMax=50'] });
    expect(configuration).toMatchObject({ group: '007', extract: { holdMsMax: 50 } });
  });

  test('variables are replaced after parsing: a value cannot become structure', () => {
    const { configuration } = parse('group: ${NAME}\nserver:\n  port: ${PORT:-7}', { environment: { NAME: 'a' } });
    expect(configuration).toMatchObject({ group: 'a', server: { port: 7 } });
    expect(mistakes('group: ${NAME}', { environment: { NAME: 'a\nserver: {}' } })[0]).toContain('LS_CONFIG_VALUE');
  });

  test.each(['abc #def', '#abc', '"abc"', '!x abc', '&a abc', '--- a', ' a ', 'a\nb', '~', 'null', '...', '1e400', '12345678', '1.50', '00123', 'true'])(
    'the text of a variable is not read as YAML: %j',
    (secret) => {
      const text = 'state:\n  kind: blob\n  containerUrl: https://a.blob.core.windows.net/c\n  sasToken: ${SECRET}\n';
      const { configuration, mistakes: found } = parse(`${text}server:\n  port: \${PORT}\n${valid}`, { environment: { SECRET: secret, PORT: '8' } });
      expect(found).toEqual([]);
      expect(configuration).toMatchObject({ state: { sasToken: secret }, server: { port: 8 } });
    },
  );

  test.each(['0x10', '1_0', '.inf', 'yes', '~', '08'])('a number of a variable is written as usual, not as %s', (port) => {
    expect(mistakes('server:\n  port: ${PORT}', { environment: { PORT: port } })).toEqual([expect.stringMatching(/^2 LS_CONFIG_VALUE server\.port: .*number, received string/)]);
  });

  test('a part of the transport can be set without its kind', () => {
    expect(parse('transport: { segmentBytes: 8192 }', { assignments: ['transport.partitionCount=3'] }).configuration?.transport).toMatchObject({
      kind: 'log', segmentBytes: 8192, partitionCount: 3,
    });
  });

  test('an empty variable takes its default, as in a shell', () => {
    expect(parse('group: ${NAME:-fallback}', { environment: { NAME: '' } }).configuration?.group).toBe('fallback');
  });
});

describe('every mistake is told at once, with its line', () => {
  test('of values and keys', () => {
    expect(mistakes('delivery: twice\nserver:\n  prot: 1\n  port: high\nroutes:\n  - { name: A B, from: text, steps: [] }\n')).toEqual([
      expect.stringMatching(/^1 LS_CONFIG_VALUE delivery: /),
      '3 LS_CONFIG_KEY_UNKNOWN there is no setting "server.prot"',
      expect.stringMatching(/^4 LS_CONFIG_VALUE server\.port: /),
      expect.stringMatching(/^6 LS_CONFIG_VALUE routes\[0\]\.name: /),
      expect.stringMatching(/^6 LS_CONFIG_VALUE routes\[0\]\.steps: /),
    ]);
  });

  test('of what is missing, in words of configuration files', () => {
    const text = 'models:\n  a: {}\nroutes:\n  - { name: a, steps: [{ name: b, task: text-features, model: a, collection: 7 }] }\n';
    expect(mistakes(text)).toEqual([
      '2 LS_CONFIG_VALUE models.a.directory is missing: expected string',
      expect.stringMatching(/^4 LS_CONFIG_VALUE routes\[0\]\.from is missing: expected one of "/),
      '4 LS_CONFIG_VALUE routes[0].steps[0].collection: invalid input: expected string, received number',
    ]);
  });

  test.each(['version', 'minPoints', 'collectionsMax', 'window.itemsMax'])('of a number that no event can carry: %s', (setting) => {
    const [outer = '', inner] = setting.split('.');
    const withValue = (value: number) => valid.replace(/ {4}minPoints: 5\n/, `${setting === 'minPoints' ? '' : '    minPoints: 5\n'}    ${outer}: ${inner === undefined ? value : `{ ${inner}: ${value} }`}\n`);
    expect(mistakes(withValue(2 ** 31 - 1))).toEqual([]);
    for (const value of [2 ** 31, 3_000_000_000]) {
      expect(mistakes(withValue(value))).toEqual([expect.stringMatching(new RegExp(`^\\d+ LS_CONFIG_VALUE collections\\[0\\]\\.${setting.replace('.', '\\.')}: .*2147483647`))]);
    }
  });

  test.each([
    ['eps: 0.3', 'eps: -1', 'Give a number above 0.'],
    ['minPoints: 5', 'minPoints: 0', 'Give a number above 0.'],
    ['minPoints: 5', 'minPoints: 3000000000', 'Give a number up to 2147483647.'],
  ])('of a number out of its range what is in it: %s, %s', (from, to, remedy) => {
    expect(parse(valid.replace(from, to)).mistakes).toMatchObject([{ code: 'LS_CONFIG_VALUE', remedy }]);
  });

  test('of values and of combinations together', () => {
    const text = valid.replace('model: topics', 'model: nobody').replace('eps: 0.3', 'eps: small').replace('minPoints: 5', 'minPoint: 5');
    expect(mistakes(`delivery: twice\n${text}`)).toEqual([
      expect.stringMatching(/^1 LS_CONFIG_VALUE delivery/),
      expect.stringMatching(/LS_CONFIG_COMBINATION no model is named "nobody"/),
      expect.stringMatching(/LS_CONFIG_VALUE collections\[0\]\.minPoints/),
      expect.stringMatching(/LS_CONFIG_VALUE collections\[0\]\.eps/),
      expect.stringMatching(/LS_CONFIG_KEY_UNKNOWN/),
    ]);
  });

  test.each(['sasToken:s3cret', 'sasToken=s3cret', 'sasToken;s3cret'])('of a key that holds a value nothing but its name is repeated: {%s}', (key) => {
    const { mistakes: found } = parse(`state: { kind: blob, ${key} }\n${valid}`);
    expect(found).toContainEqual(expect.objectContaining({ code: 'LS_CONFIG_KEY_UNKNOWN', message: 'state: a key that begins with "sasToken" and is no name' }));
    expect(inspect(found, { depth: 10 })).not.toContain('s3');
  });

  test('of syntax', () => {
    expect(mistakes('a: [1\nb: 2')[0]).toMatch(/^\d LS_CONFIG_SYNTAX .*at a wrong place/);
    expect(mistakes('a: 1\nb: *c\nc: &c 2\nd: *c')).toEqual(['2 LS_CONFIG_SYNTAX an alias (*) of which there is no anchor (&) before it']);
    expect(mistakes('a: 1\na: 2')).toEqual(['2 LS_CONFIG_SYNTAX a key that was given before']);
    expect(mistakes('- a\n- b')[0]).toContain('LS_CONFIG_VALUE the configuration');
  });

  test.each([
    '*s3cretpass', '*s3cretpass:', '&s3cretpass: a', '!s3cretpass', '!s3cretpass *a', '!<s3cretpass', '!s3cretpass!b c', '|s3cretpass', '"\\s3cretpass"', '"\\xs3"', '"s3cretpass', '[s3cretpass', '@s3cretpass', '%s3cretpass', "'a' s3cretpass",
    's3cretpass\n%s3cretpass', 's3cretpass\n--- s3cretpass', '>s3cretpass\n  a', '{ s3cretpass: *s3cretpass }', '`s3cretpass', '- s3cretpass', 's3cretpass: s3cretpass',
  ])('of syntax repeats nothing of a secret that YAML takes for its own: %s', (secret) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const text = 'state:\n  kind: blob\n  containerUrl: https://a.blob.core.windows.net/c\n  sasToken: ';
    const found = [...parse(`${text}${secret}\n`).mistakes, ...parse(`${text}\${SECRET}\n`, { environment: { SECRET: secret } }).mistakes];
    expect(inspect(found, { depth: 10 })).not.toContain('s3');
    expect(warned.mock.calls).toEqual([]);
    warned.mockRestore();
  });

  test('a variable that is not set is one mistake, at its setting', () => {
    const text = valid.replace('eps: 0.3', 'eps: ${MISSING}').replace('minPoints: 5', 'minPoints: 0');
    const { mistakes: found } = parse(text);
    expect(found.map(({ code, path }) => [code, path])).toEqual([
      ['LS_CONFIG_VARIABLE_UNSET', ['collections', 0, 'eps']],
      ['LS_CONFIG_VALUE', ['collections', 0, 'minPoints']],
    ]);
  });

  test('of variables that are nearly a setting, and of no others', () => {
    const environment = { LABELSTREAM_SERVER_PORT: '1', LABELSTREAM_DELIVREY: 'x', LABELSTREAM_SERVER__PORT: '1', LABELSTREAM_SAMPLES: '/x', SERVER__PORT: '1' };
    expect(misspeltVariables(environment)).toEqual([
      { variable: 'LABELSTREAM_SERVER_PORT', nearest: 'LABELSTREAM_SERVER__PORT' },
      { variable: 'LABELSTREAM_DELIVREY', nearest: 'LABELSTREAM_DELIVERY' },
    ]);
  });

  test('of variables and flags', () => {
    expect(mistakes('# x\ngroup: "${MISSING}-a"')[0]).toBe('2 LS_CONFIG_VARIABLE_UNSET the environment variable MISSING is not set');
    expect(mistakes('', { assignments: ['server.prt=1'] })[0]).toContain('LS_CONFIG_KEY_UNKNOWN');
    expect(mistakes('', { assignments: ['server.port'] })[0]).toContain('LS_CONFIG_KEY_UNKNOWN');
    expect(mistakes('', { assignments: ['routes=1'] })[0]).toContain('LS_CONFIG_KEY_UNKNOWN');
  });

  test('of what a variable or a flag sets are not laid to the file', () => {
    const text = `delivery: at-least-once\nserver:\n  port: 9464\n${valid}`;
    expect(mistakes(text, { assignments: ['delivery=often'] })).toEqual([expect.stringMatching(/^undefined LS_CONFIG_VALUE delivery: .* \(by --set delivery\)$/)]);
    expect(mistakes(text, { environment: { LABELSTREAM_SERVER__PORT: 'x' } })).toEqual([expect.stringMatching(/^undefined LS_CONFIG_VALUE server\.port: .* \(by LABELSTREAM_SERVER__PORT\)$/)]);
    expect(mistakes(text, { environment: { LABELSTREAM_SERVER__PORT: 'x' }, assignments: ['server.port=y'] })).toEqual([expect.stringContaining('(by --set server.port)')]);
    expect(mistakes(text.replace('at-least-once', 'often'), { assignments: ['server.port=1'] })).toEqual([expect.stringMatching(/^1 LS_CONFIG_VALUE delivery: [^(]*$/)]);
  });

  test.each([
    ['steps that repeat a name', (text: string) => text.replace('name: topic,', 'name: embed,'), 'is there already'],
    ['an unknown model', (text: string) => text.replace('model: topics', 'model: nobody'), 'no model is named "nobody"'],
    ['an unknown task', (text: string) => text.replace('text-classification', 'text-guess'), 'there is no task "text-guess"'],
    ['a task for other events', (text: string) => text.replace('from: text', 'from: record'), 'does not take record events'],
    ['features without a collection', (text: string) => text.replace(/, collection: "[^"]*"/, ''), 'need a collection'],
    ['a label with a collection', (text: string) => text.replace('model: topics', 'model: topics, collection: x'), 'not features for a collection'],
    ['a template over a step that gives no label', (text: string) => text.replaceAll('labels.topic', 'labels.embed'), 'which is no step of this route that gives one'],
    ['a template with a mistake', (text: string) => text.replaceAll('labels.topic|', 'lables.topic|'), 'is none of'],
    ['a collection that is not defined', (text: string) => text.replace(/- name: "news[^"]*"\n/, '- name: other\n'), 'no collection is named'],
    ['a collection that nobody uses', (text: string) => `${text}  - { name: idle, eps: 1, minPoints: 2 }\n`, 'no step sends features to "idle"'],
    ['a name that is not folded', (text: string) => `${text}  - { name: Big News, eps: 1, minPoints: 2 }\n`, 'is not a collection name'],
    ['a blob container that nothing leads to', (text: string) => `state: { kind: blob }\n${text}`, 'nothing says where the container is'],
    ['two ways to a blob container', (text: string) => `state: { kind: blob, containerUrl: "https://a/b", connectionString: x, container: abc }\n${text}`, 'two ways to a container'],
    ['a connection string alone', (text: string) => `state: { kind: blob, connectionString: x }\n${text}`, 'does not name the container'],
    ['a container alone', (text: string) => `state: { kind: blob, container: abc }\n${text}`, 'container goes with a connection string'],
    ['a secret and its file', (text: string) => `state: { kind: blob, container: abc, connectionString: x, connectionStringFile: y }\n${text}`, 'are both there'],
    ['two SAS tokens', (text: string) => `state: { kind: blob, containerUrl: "https://a/b", sasToken: x, sasTokenFile: y }\n${text}`, 'are both there'],
    ['an identity without encryption', (text: string) => `state: { kind: blob, containerUrl: "http://a/b" }\n${text}`, 'never shown without encryption'],
    ['an eps beyond the metric', (text: string) => text.replace('eps: 0.3', 'eps: 2.5'), 'no cosine distance is above 2'],
  ])('of combinations: %s', (_name, change, message) => {
    const found = parse(change(valid)).mistakes;
    expect(found.map((mistake) => mistake.message).join('\n')).toContain(message);
    for (const mistake of found) expect(mistake).toMatchObject({ code: 'LS_CONFIG_COMBINATION', line: expect.any(Number) as number, remedy: expect.stringMatching(/\.$/) as string });
  });

  test('features of several models in one collection are refused', () => {
    const text = valid.replace('- { name: topic,', '- { name: again, task: text-features, model: topics, collection: "news-${labels.topic|other}" }\n      - { name: topic,');
    expect(mistakes(text).join('\n')).toContain('gets features of several models: encoder, topics');
  });
});

describe('what a step says to its task', () => {
  const route = (step: string): string => `
models: { m: { directory: m } }
routes:
  - { name: images, from: media, steps: [{ name: s, model: m, ${step} }] }
`;

  test('is passed through', () => {
    const text = "task: conditional-image-captioning, text: '\${attributes.question|a photo of}', config: { num_beams: 3, max_new_tokens: 20 }";
    expect(parse(route(text)).configuration?.routes[0]?.steps[0]?.parameters).toMatchObject({ text: { text: '${attributes.question|a photo of}' }, config: { num_beams: 3, max_new_tokens: 20 } });
    expect(parse(route('task: zero-shot-image-classification, classes: [cat, dog]')).configuration?.routes[0]?.steps[0]?.parameters).toEqual({ classes: ['cat', 'dog'] });
    expect(parse(route('task: image-captioning')).configuration?.routes[0]?.steps[0]?.parameters).toBeUndefined();
    const thousand = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
    expect(parse(route(`task: object-detection, classes: [${thousand.join(', ')}]`)).mistakes).toEqual([]);
    expect(mistakes(route(`task: object-detection, classes: [${thousand.join(', ')}, more]`)).join()).toContain('classes');
  });

  test.each([
    ['task: image-captioning, config: { temperature: 1 }', 'temperature'],
    ['task: image-captioning, config: { num_beams: 17 }', 'config.num_beams'],
    ['task: image-captioning, config: { max_new_tokens: many }', 'config.max_new_tokens'],
    ['task: image-captioning, text: a photo of', 'takes no text'],
    ['task: image-captioning, classes: [a]', 'takes no classes'],
    ['task: conditional-image-captioning', 'needs a text'],
    ["task: conditional-image-captioning, text: '\${labels.other}'", 'cannot read the labels'],
    ["task: conditional-image-captioning, text: '\${nothing}'", 'nothing'],
    ['task: zero-shot-image-classification', 'needs classes'],
    ['task: zero-shot-image-classification, classes: [a], config: { hypothesis_template: a photo }', 'must hold {}'],
    ['task: object-detection, config: { threshold: 2 }', 'config.threshold'],
    ['task: automated-speech-recognition, config: { task: sing }', 'config.task'],
    ['task: image-classification, config: { threshold: 0.5 }', 'threshold'],
  ])('is refused: %s', (step, expected) => {
    expect(mistakes(route(step)).join()).toContain(expected);
  });

  test('is refused in a request with one code', () => {
    expect(() => parseTaskConfig('image-captioning', { num_beams: 0, heat: 1 })).toThrow(expect.objectContaining({ code: 'LS_TASK_CONFIG', message: expect.stringContaining('num_beams') as string }));
    expect(parseTaskConfig('image-captioning', { num_beams: 4 })).toEqual({ num_beams: 4 });
  });
});

test('a file that cannot be read is a mistake, not a crash', async () => {
  const loaded = await loadConfiguration({ file: '/nonexistent/x.yaml', environment: {}, assignments: [], tasks: [] });
  expect(loaded.mistakes[0]).toMatchObject({ code: 'LS_CONFIG_FILE' });
});

test('an alias bomb is refused', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++) bomb.push(`a${String(level)}: &a${String(level)} [${Array.from({ length: 9 }, () => `*a${String(level - 1)}`).join(', ')}]`);
  expect(mistakes(bomb.join('\n'))[0]).toContain('LS_CONFIG_SYNTAX');
});
