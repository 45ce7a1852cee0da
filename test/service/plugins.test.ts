// The example plugin in the real program: its task and its models in the stream, its way to queue, its HTTP.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { objects, succeed, topicContents, withRun } from '../cli/fixtures.ts';
import { repository, runProgram, withDirectory, writeConfiguration } from './program.ts';

const folder = join(repository, 'examples/plugins/colours');

const configuration = (plugins = `[${join(folder, 'plugin.ts')}]`): string => `
dataDirectory: data
server: { port: 0 }
plugins: ${plugins}
models:
  colours: { directory: ${join(folder, 'model')}, consumer: colours/pairs }
  palette: { directory: ${join(folder, 'histogram')} }
routes:
  - name: images
    from: media
    steps:
      - { name: colour, task: dominant-colour, model: colours, config: { ignoreGrey: true } }
      - { name: class, task: image-classification, model: colours }
      - { name: palette, task: image-features, model: palette, collection: palettes }
collections: [{ name: palettes, eps: 0.1, minPoints: 2 }]
`;

/** Mostly of one colour, on a larger part of grey. */
const paints = { red: '#d01818', yellow: '#e0d810', green: '#18c020', cyan: '#10c8d0', blue: '#1820d8', magenta: '#d010c8' } as const;

async function paint(directory: string): Promise<string> {
  const images = join(directory, 'images');
  await mkdir(images);
  for (const [name, colour] of Object.entries(paints)) {
    for (const shade of ['#808080', '#888888']) {
      const patch = await sharp({ create: { width: 20, height: 12, channels: 3, background: colour } }).png().toBuffer();
      const image = sharp({ create: { width: 40, height: 16, channels: 3, background: shade } }).composite([{ input: patch, left: 3, top: 2 }]);
      await image.png().toFile(join(images, `${name}-${shade.slice(1)}.png`));
    }
  }
  return images;
}

type Label = { readonly inputId: string; readonly routeStep: string; readonly result: Record<string, { readonly labels: readonly { readonly label: string; readonly score: number }[] }> };

test('a plugin labels, clusters and answers HTTP', { timeout: 120_000 }, async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration());
    await succeed('validate', '-c', file);
    const images = await paint(directory);
    await succeed('publish', 'images', images, '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    const labels = (await topicContents(file, 'labels')).map((record) => record['value'] as Label);
    const tops = labels.filter(({ routeStep }) => routeStep === 'images/colour').map(({ inputId, result }) => [inputId.replace(/^.*\//, '').replace(/-.*$/, ''), result['labelstream.v1.Classification']?.labels[0]?.label]);
    expect(tops).toHaveLength(12);
    for (const [painted, found] of tops) expect(found).toBe(painted);
    // The other task asks the same model, and is told of the grey.
    for (const { result } of labels.filter(({ routeStep }) => routeStep === 'images/class')) expect(result['labelstream.v1.Classification']?.labels[0]).toMatchObject({ label: 'grey', score: 0.625 });
    const clusters = await objects('clusters', 'list', '-c', file);
    expect(clusters.filter((cluster) => 'size' in cluster).map(({ size }) => size)).toEqual([2, 2, 2, 2, 2, 2]);
    expect(await objects('dlq', 'list', '-c', file)).toEqual([]);

    await withRun(file, async (run) => {
      const { url } = /"url":"(?<url>[^"]+)"/.exec(run.stderrSoFar())?.groups ?? {};
      const post = async (model: string, contentType: string, body: string | Uint8Array<ArrayBuffer>): Promise<{ readonly status: number; readonly body: unknown }> => {
        const response = await fetch(`${url ?? ''}/plugins/colours/dominant?model=${model}`, { method: 'POST', headers: { 'content-type': contentType }, body });
        return { status: response.status, body: await response.json() };
      };
      const image = new Uint8Array(await readFile(join(images, 'blue-808080.png')));
      expect(await post('colours', 'image/png', image)).toEqual({ status: 200, body: { colour: 'grey', share: 0.625 } });
      expect(await post('colours', 'image/png', image.slice(0, 60))).toMatchObject({ status: 400, body: { code: 'LS_IMAGE_CORRUPT' } });
      expect(await post('nothing', 'image/png', image)).toMatchObject({ status: 404, body: { code: 'LS_MODEL_UNKNOWN' } });
      expect(await post('palette', 'image/png', image)).toMatchObject({ status: 400, body: { error: { code: 'MODEL_UNFIT' } } });
      expect((await post('colours', 'text/plain', 'no image')).status).toBe(415);
      expect((await fetch(`${url ?? ''}/health/live`)).status).toBe(200);
    });
  });
});

test('what is wrong with plugins is told before anything starts', async () => {
  await withDirectory(async (directory) => {
    const refused = async (text: string): Promise<string> => {
      const { code, stderr } = await runProgram('run', '-c', await writeConfiguration(directory, text));
      expect(code, stderr).toBe(78);
      return stderr;
    };
    await writeFile(join(directory, 'later.mjs'), 'export default { apiVersion: 2, name: "later" };');
    expect(await refused(configuration('[./later.mjs]'))).toContain('LS_PLUGIN_API_VERSION');
    expect(await refused(configuration('[./nowhere.mjs]'))).toContain('LS_PLUGIN_LOAD');
    const without = await refused(configuration('[]'));
    expect(without).toContain('there is no task "dominant-colour"');
    expect(without).toContain('there is no consumer "colours/pairs"');
    expect(await refused(configuration().replace('ignoreGrey: true', 'ignoreGray: true'))).toContain('this task knows ignoreGrey alone');
    expect(await refused(configuration().replace('consumer: colours/pairs', 'consumer: colours/trios'))).toContain('Use one of: batched, pool, single-thread, colours/pairs');
  });
});

test('models of plugins are verified by naming the plugin', async () => {
  const { code, stdout, stderr } = await runProgram('models', 'verify', join(folder, 'model'), join(folder, 'histogram'), '--plugin', join(folder, 'plugin.ts'));
  expect(code, stdout + stderr).toBe(0);
  const unnamed = await runProgram('models', 'verify', join(folder, 'model'));
  expect(unnamed.code).toBe(1);
  expect(unnamed.stdout).toContain('LS_PLUGIN_MISSING');
});
