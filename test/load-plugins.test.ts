// Plugins are checked before anything is made of them: what is wrong with one is told with a code, and says what to do.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadPlugins, ownExtensions } from '../src/load-plugins.ts';
import { withDirectory } from './service/program.ts';

const task = `{ name: 'shout', accepts: ['text'], produces: 'label', input: (event) => ({ kind: 'text', text: event.event.text }), output: () => ({ kind: 'label', result: {} }) }`;

const whole = `export default {
  apiVersion: 1,
  name: 'loud',
  tasks: [${task}],
  models: { echo: { open: async () => ({ answer: async () => [] }) } },
  consumers: { pairs: () => ({ batchItemsMax: 2 }) },
  httpApis: { shout: () => undefined },
};`;

test('tasks, consumers and HTTP are added to the program, under the names of the plugin', async () => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'loud.mjs'), whole);
    const extensions = await loadPlugins(['./loud.mjs'], directory);
    expect([...extensions.tasks.keys()]).toEqual([...ownExtensions.tasks.keys(), 'shout']);
    expect([...extensions.consumers.keys()]).toEqual(['batched', 'pool', 'single-thread', 'loud/pairs']);
    expect([...extensions.httpApis.keys()]).toEqual(['loud/shout']);
    expect([...extensions.pluginUrls.keys()]).toEqual(['loud']);
    expect(ownExtensions.tasks.has('shout'), 'the next configuration has other plugins').toBe(false);
  });
});

test('a package is found where the configuration lies', async () => {
  await withDirectory(async (directory) => {
    const folder = join(directory, 'node_modules/@people/loud');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: '@people/loud', type: 'module', exports: './plugin.js' }));
    await writeFile(join(folder, 'plugin.js'), whole);
    const { pluginUrls } = await loadPlugins(['@people/loud'], directory);
    expect(pluginUrls.get('loud')).toMatch(/node_modules\/@people\/loud\/plugin\.js$/);
  });
});

test('a package that can be imported and not required; the folder of the configuration goes first', async () => {
  await withDirectory(async (directory) => {
    // This program has a fastify of its own.
    for (const name of ['loud', 'fastify']) {
      const folder = join(directory, 'node_modules', name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name, exports: { '.': { import: './plugin.mjs' } } }));
      await writeFile(join(folder, 'plugin.mjs'), whole.replace("name: 'loud'", `name: '${name}'`).replace("name: 'shout'", `name: 'shout-${name}'`));
    }
    const { pluginUrls } = await loadPlugins(['loud', 'fastify'], directory);
    for (const name of ['loud', 'fastify']) expect(pluginUrls.get(name)).toContain(`${directory}/node_modules/${name}/plugin.mjs`);
  });
});

test('what a task of a plugin gives is a result of its kind, or the plugin is at fault', async () => {
  await withDirectory(async (directory) => {
    const says = (result: string): string => whole.replace("output: () => ({ kind: 'label', result: {} })", `output: () => (${result})`);
    const give = async (name: string, result: string): Promise<unknown> => {
      await writeFile(join(directory, `${name}.mjs`), says(result));
      const { tasks } = await loadPlugins([`./${name}.mjs`], directory);
      return tasks.get('shout')?.output({ kind: 'caption', text: '' }, {} as never);
    };
    const caption = { kind: 'label', result: { 'labelstream.v1.Caption': { text: 'A' } } };
    expect(await give('fine', JSON.stringify(caption))).toEqual(caption);
    for (const [name, result] of [
      ['nothing', 'undefined'],
      ['half', `{ kind: 'label', result: { 'labelstream.v1.Caption': { text: '\\ud83d' } } }`],
      ['features', `{ kind: 'features', vector: Float32Array.of(1) }`],
      ['assignment', `{ kind: 'label', result: { 'labelstream.v1.Assignment': {} } }`],
      ['nan', `{ kind: 'label', result: { 'labelstream.v1.Classification': { labels: [{ label: 'a', score: NaN }] } } }`],
    ] as const) {
      await expect(give(name, result), name).rejects.toMatchObject({ code: 'LS_PLUGIN_ANSWER' });
    }
  });
});

const wrong: readonly (readonly [what: string, code: string, says: RegExp, module: string | undefined])[] = [
  ['a file that is not there', 'LS_PLUGIN_LOAD', /Cannot find module/, undefined],
  ['what fails while it is imported', 'LS_PLUGIN_LOAD', /no such luck/, `throw new Error('no such luck');`],
  ['what is no JavaScript', 'LS_PLUGIN_LOAD', /cannot be imported/, `export default {`],
  ['no default export', 'LS_PLUGIN_INVALID', /no apiVersion/, `export const name = 'loud';`],
  ['another version of the API', 'LS_PLUGIN_API_VERSION', /version 2 of the plugin API; this program has version 1/, `export default { apiVersion: 2, name: 'loud' };`],
  ['a misspelt part', 'LS_PLUGIN_INVALID', /task/, `export default { apiVersion: 1, name: 'loud', task: [] };`],
  ['a name that is none', 'LS_PLUGIN_INVALID', /name: must be 1 to 64/, `export default { apiVersion: 1, name: 'Loud/er' };`],
  ['a task without output', 'LS_PLUGIN_INVALID', /tasks\.0\.output: must be a function/, `export default { apiVersion: 1, name: 'loud', tasks: [{ ...${task}, output: undefined }] };`],
  ['a model that cannot be opened', 'LS_PLUGIN_INVALID', /models\.echo\.open: must be a function/, `export default { apiVersion: 1, name: 'loud', models: { echo: {} } };`],
  ['a task that the program has', 'LS_PLUGIN_INVALID', /a task image-features is there already/, `export default { apiVersion: 1, name: 'loud', tasks: [{ ...${task}, name: 'image-features' }] };`],
];

test.each(wrong)('%s is refused: %s', async (_what, code, says, module) => {
  await withDirectory(async (directory) => {
    if (module !== undefined) await writeFile(join(directory, 'loud.mjs'), module);
    const error: unknown = await loadPlugins(['./loud.mjs'], directory).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).toMatch(says);
  });
});

test('one plugin twice, and a package that is not installed, are refused', async () => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'loud.mjs'), whole);
    await expect(loadPlugins(['./loud.mjs', './loud.mjs'], directory)).rejects.toMatchObject({ code: 'LS_PLUGIN_INVALID' });
    await expect(loadPlugins(['no-such-plugin-anywhere'], directory)).rejects.toMatchObject({ code: 'LS_PLUGIN_LOAD' });
    // As a shell completes it.
    await expect(loadPlugins(['loud.mjs'], directory)).rejects.toMatchObject({ code: 'LS_PLUGIN_LOAD', message: expect.stringContaining('./loud.mjs names it') as string });
  });
});
