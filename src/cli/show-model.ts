/** What `models show` tells of a model. */
import { resolve } from 'node:path';
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import { defaultWorkerCount } from '../models/cpu-limit.ts';
import { batchSizesOf, type Manifest } from '../models/manifest.ts';
import { estimatedMemoryBytes } from '../models/model-memory.ts';
import type { PluginManifest } from '../models/plugins/plugin-manifest.ts';
import { loadArtefacts, readManifest } from '../models/repository.ts';
import { verifyModel, type VerifyReport } from '../models/verify.ts';
import { outputOf, type CommandLine } from './context.ts';
import { manifestObject } from './manifest-object.ts';
import { asFailure, modelNamed, namedModels } from './model-choice.ts';
import type { ModelOptions } from './model-options.ts';
import { tableText, type Output } from './output.ts';
import { sizeText } from './size-text.ts';

/** Rejects with LS_CLI_MODEL_UNFIT when everything is told. */
export async function showModel(model: string, options: ModelOptions & { readonly json?: boolean }, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  const named = await namedModels(options, commandLine);
  const { name, directory } = await modelNamed(model, named);
  const manifest = await readManifest(directory).catch(asFailure);
  const report = await verifyModel(resolve(directory), { depth: 'known-answers', plugins: named.extensions.pluginUrls, signal: commandLine.signal });
  const memoryBytes = report.checks.some((check) => check.name === 'files' && check.ok) ? estimatedMemoryBytes(await loadArtefacts(directory), await defaultWorkerCount()) : undefined;
  if (output.json) output.object({ name, directory, ok: report.ok, ...manifestObject(manifest), memoryBytes, checks: report.checks, manifest });
  else printModel({ name, directory, manifest, report, memoryBytes }, output);
  if (!report.ok) throw cliError('LS_CLI_MODEL_UNFIT', `not fit for use: ${name}`);
}

type Shown = { readonly name: string; readonly directory: string; readonly manifest: Manifest; readonly report: VerifyReport; readonly memoryBytes: number | undefined };

function printModel({ name, directory, manifest, report, memoryBytes }: Shown, output: Output): void {
  const { model, version, tasks, input, licence, source, reproducible, sizeBytes } = manifestObject(manifest);
  const facts: readonly (readonly [string, string])[] = [
    ['model', `${model} ${version}`],
    ['directory', directory],
    ['kind', kindText(manifest)],
    ['tasks', tasks.join(', ')],
    ['reads', input],
    ['gives', givesText(manifest)],
    ['licence', licence],
    ['source', source],
    ['batches of', batchSizesOf(manifest).join(', ')],
    ['reproducible', reproducible ? 'yes' : 'NO'],
    ['known answers', String(manifest.knownAnswers.length)],
    ['size', `${sizeText(sizeBytes)} in ${counted(manifest.files.length, 'file')}`],
    ...(memoryBytes === undefined ? [] : [['memory', `about ${sizeText(memoryBytes)} in all workers`] as const]),
  ];
  output.line(`${name}: ${report.ok ? 'ok' : 'NOT FIT FOR USE'}`);
  const width = Math.max(...facts.map(([fact]) => fact.length));
  for (const [fact, said] of facts) output.line(`  ${fact.padEnd(width)}  ${said}`);
  output.lines(tableText(['  FILE', 'SIZE', 'SHA-256'], manifest.files.map(({ path, sizeBytes: bytes, sha256 }) => [`  ${path}`, sizeText(bytes), sha256])));
  output.lines(tableText(['  CHECK', 'OK', 'DETAIL'], report.checks.map((check) => [`  ${check.name}`, check.ok ? 'yes' : 'NO', check.detail])));
}

function kindText(manifest: Manifest): string {
  if (manifest.kind === 'transformers') return `transformers, ${manifest.architecture}`;
  return manifest.kind === 'plugin' ? `plugin, ${manifest.opens} of ${manifest.plugin}` : manifest.kind;
}

function givesText(manifest: Manifest): string {
  if (manifest.kind === 'plugin') return pluginGivesText(manifest);
  if (manifest.kind === 'transformers') return 'the result of its task';
  const { postprocessing, labels } = manifest;
  if (postprocessing.kind === 'boxes') return `boxes of ${counted(labels.length, 'label')}`;
  return postprocessing.kind === 'vector' ? `a vector of ${postprocessing.dimensions} numbers` : `scores of ${counted(labels.length, 'label')}`;
}

function pluginGivesText({ dimensions, labels }: PluginManifest): string {
  if (dimensions > 0) return `a vector of ${dimensions} numbers`;
  return labels.length > 0 ? `scores of ${counted(labels.length, 'label')}` : 'the result of its task';
}
