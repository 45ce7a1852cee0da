/** `models list --catalogue`: models to begin with. */
import { join } from 'node:path';
import { modelCatalogue, type CatalogueEntry } from '../models/model-catalogue.ts';
import { readManifest } from '../models/repository.ts';
import { packageDirectory } from '../package-directory.ts';
import { manifestObject } from './manifest-object.ts';
import { tableText, type Output } from './output.ts';
import { sizeText } from './size-text.ts';

type Told = {
  readonly tasks: readonly string[];
  readonly size: CatalogueEntry['size'];
  readonly model: string;
  readonly comesWithTheProgram: boolean;
  readonly licence: string | undefined;
  readonly extent: string | undefined;
  readonly measured: string | undefined;
  readonly commands: readonly string[];
};

export async function printCatalogue(output: Output): Promise<void> {
  const told = await Promise.all(modelCatalogue.map(toldOf));
  if (output.json) {
    for (const entry of told) output.object({ ...entry, licence: entry.licence ?? null, extent: entry.extent ?? null, measured: entry.measured ?? null });
    return;
  }
  const rows = told.map(({ tasks, size, model, licence, extent, measured }) => [tasks.join(', '), size, model, licence ?? 'see its card', extent ?? '', measured ?? 'not measured']);
  output.lines(tableText(['TASKS', 'SIZE', 'MODEL', 'LICENCE', 'EXTENT', 'MEASURED HERE'], rows, output.columns));
  output.note('how to fetch and import each: --json, and docs/models.md');
}

async function toldOf({ tasks, size, model, measured }: CatalogueEntry): Promise<Told> {
  if (model.kind === 'bundled') {
    const { licence, sizeBytes } = manifestObject(await readManifest(join(packageDirectory, 'models', model.name)));
    return { tasks, size, model: model.name, comesWithTheProgram: true, licence, extent: sizeText(sizeBytes), measured, commands: [] };
  }
  const { repository, licence, size: extent, importOptions, graphs } = model;
  return { tasks, size, model: repository, comesWithTheProgram: false, licence, extent, measured, commands: commandsFor(repository, licence, importOptions, graphs) };
}

function commandsFor(repository: string, licence: string | undefined, options: readonly string[], graphs: 'published' | 'exported'): readonly string[] {
  const imported = (from: string, name: string): string => ['labelstream models import', from, '--to', `models/${name}`, '--licence', licence ?? 'LICENCE', ...options].join(' ');
  const [, owner, name] = /^([\w.-]+)\/([\w.-]+)$/.exec(repository) ?? [];
  if (owner === undefined || name === undefined) return [imported(repository.split(' ')[0] ?? '', (repository.split('.')[0] ?? '').toLowerCase())];
  const place = graphs === 'published' ? repository : `OWNER/${name}`;
  return [`labelstream models pull ${place} --revision COMMIT --to data/pulled/${name}`, imported(`data/pulled/${name}`, name.toLowerCase())];
}
