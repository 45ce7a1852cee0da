// The examples without their sample data: what a person reads who starts one on a fresh clone.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { withDirectory } from '../service/program.ts';
import { root } from './documents.ts';

/** Runs an example with sample data, networks and its own data below a folder. */
function runExample(name: string, directory: string): Promise<{ readonly failed: boolean; readonly stderr: string }> {
  const env = {
    ...process.env,
    LABELSTREAM_SAMPLES: join(directory, 'samples'),
    LABELSTREAM_SAMPLE_MODELS: join(directory, 'networks'),
    LABELSTREAM_DATA_DIR: join(directory, 'data'),
  };
  return new Promise((ended) => {
    execFile(process.execPath, [join(root, `examples/${name}.ts`)], { env }, (error, _stdout, stderr) => {
      ended({ failed: error !== null, stderr });
    });
  });
}

const files = { news: 'text/ag_news_test.csv', banking: 'text/banking77_train.csv', banknotes: 'banknote/BankNote_Authentication.csv', pets: 'images/cats-dogs' };

test.each(Object.entries(files))('%s says which setting names the missing data', async (name, file) => {
  await withDirectory(async (directory) => {
    const { failed, stderr } = await runExample(name, directory);
    expect(failed).toBe(true);
    expect(stderr).toBe(
      `There is no ${join(directory, 'samples', file)}, and it is not part of the repository: set LABELSTREAM_SAMPLES to the folder of the sample data (docs/tutorials).\n`,
    );
  });
});

test.each(['banking', 'pets'] as const)('%s says which setting names the missing network', async (name) => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'samples', files[name]);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '');
    const { failed, stderr } = await runExample(name, directory);
    expect(failed).toBe(true);
    expect(stderr).toMatch(/^There is no .*: set LABELSTREAM_SAMPLE_MODELS to the folder of the networks \(docs\/tutorials\)\.\n$/);
  });
});

test('an example ends with its command, without a stack', async () => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'samples', files.banknotes);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, 'class\n"');
    const { failed, stderr } = await runExample('banknotes', directory);
    expect(failed).toBe(true);
    expect(stderr).toMatch(/LS_CLI_\w+[^]*\nlabelstream publish records .* ended with 1\n$/);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});
