/** What `models list` tells. */
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { cliError } from '../core/errors/cli.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { Manifest } from '../models/manifest.ts';
import { readManifest } from '../models/repository.ts';
import { packageDirectory } from '../package-directory.ts';
import { outputOf, type CommandLine } from './context.ts';
import { manifestObject } from './manifest-object.ts';
import { isDirectory, isModelDirectory, namedModels } from './model-choice.ts';
import type { ModelOptions } from './model-options.ts';
import { printCatalogue } from './models-catalogue.ts';
import { tableText, type Output } from './output.ts';
import { sizeText } from './size-text.ts';

type Place = { readonly name: string; readonly directory: string };

type ListedModel = Place & ({ readonly manifest: Manifest } | { readonly error: LabelstreamError });

export async function listModels(directories: readonly string[], options: ModelOptions & { readonly catalogue?: boolean; readonly json?: boolean }, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  if (options.catalogue === true) {
    if (options.config !== undefined || directories.length > 0) throw cliError('LS_CLI_USAGE', '--catalogue stands alone: it lists no models of yours');
    await printCatalogue(output);
    return;
  }
  if (options.config !== undefined && directories.length > 0) throw cliError('LS_CLI_USAGE', 'name directories, or a configuration with --config, not both');
  const { configuration, bindings } = await namedModels(options, commandLine);
  const places = configuration === undefined ? await placesIn(directories.length === 0 ? [join(packageDirectory, 'models')] : directories) : bindings;
  const listed = await Promise.all(places.map(listedModel));
  if (output.json) for (const model of listed) output.object(modelObject(model));
  else printTable(listed, output);
}

/** Rejects with LS_CLI_FILE. */
async function placesIn(directories: readonly string[]): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const directory of directories) {
    if (!(await isDirectory(directory))) throw cliError('LS_CLI_FILE', `${directory}: this is no directory`, { file: directory });
    if (await isModelDirectory(directory)) places.push(placeOf(directory));
    else places.push(...(await placesBelow(directory)));
  }
  return places;
}

/** What is made beside a model's place has a name that begins with a dot. */
async function placesBelow(directory: string): Promise<readonly Place[]> {
  const entries = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
  const places: Place[] = [];
  for (const name of entries.sort()) if (await isModelDirectory(join(directory, name))) places.push(placeOf(join(directory, name)));
  return places;
}

function placeOf(directory: string): Place {
  return { name: basename(resolve(directory)), directory };
}

async function listedModel({ name, directory }: Place): Promise<ListedModel> {
  try {
    return { name, directory, manifest: await readManifest(directory) };
  } catch (error) {
    if (error instanceof LabelstreamError) return { name, directory, error };
    throw error;
  }
}

function modelObject(listed: ListedModel): object {
  const { name, directory } = listed;
  if ('error' in listed) return { name, directory, ok: false, error: { code: listed.error.code, message: listed.error.message } };
  return { name, directory, ok: true, ...manifestObject(listed.manifest) };
}

function printTable(listed: readonly ListedModel[], output: Output): void {
  const rows = listed.map((model) => {
    if ('error' in model) return [model.name, '', '', '', '', model.directory, `BROKEN: ${model.error.message} [${model.error.code}]`.replaceAll(/\s*\n\s*/g, '; ')];
    const { model: name, version, tasks, licence, sizeBytes } = manifestObject(model.manifest);
    return [model.name, `${name} ${version}`, tasks.join(', '), licence, sizeText(sizeBytes), model.directory, ''];
  });
  const isWhole = listed.every((model) => 'manifest' in model);
  const head = ['NAME', 'MODEL', 'TASKS', 'LICENCE', 'SIZE', 'DIRECTORY', ...(isWhole ? [] : ['WRONG'])];
  output.lines(tableText(head, rows.map((row) => row.slice(0, head.length)), output.columns));
}
