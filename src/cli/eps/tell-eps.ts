/** What `clusters eps` tells. */
import { writeFile } from 'node:fs/promises';
import { chooseEps, sampleSizeMax } from '../../clustering/eps/choose-eps.ts';
import { openArtefact } from '../../clustering/projection/artefact.ts';
import type { FittedProjection } from '../../clustering/projection/projection.ts';
import { inSlices, type SlicedWork } from '../../clustering/sliced-work.ts';
import { clustersOf } from '../../clusters-of.ts';
import { cliError } from '../../core/errors/cli.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { Access } from '../../open-access.ts';
import { rejectionOf } from '../../pipeline/abort.ts';
import { fetchArtefact } from '../../pipeline/artefact-store.ts';
import type { VectorSample } from '../../stages/cluster/vector-sample.ts';
import { placesOf } from '../collection-places.ts';
import { outputOf, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { epsPage } from './eps-page.ts';
import { epsReport, sampleWarnings, type EpsReport } from './eps-report.ts';
import { reportLines } from './eps-text.ts';

export type EpsOptions = ConfigurationOptions & {
  readonly collection: string;
  readonly sample: number;
  readonly minPoints?: number;
  readonly projection?: string;
  readonly json?: boolean;
  readonly html?: string;
};

export async function tellEps(access: Access, options: EpsOptions, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  const view = await clustersOf(access, commandLine.signal);
  const { heldAt } = view.collections();
  const reports: EpsReport[] = [];
  for (const { family, collection } of placesOf(view, access, options.collection, 'choose eps by')) {
    const sample = view.vectors(collection, options.sample).value.find((each) => each.family === family);
    if (sample !== undefined) reports.push(await reportOf(access, sample, options, commandLine.signal));
  }
  for (const [index, report] of reports.entries()) {
    if (output.json) {
      output.object({ ...report, heldAt });
      continue;
    }
    if (index > 0) output.line('');
    for (const line of reportLines(report)) output.line(line);
    for (const warning of sampleWarnings(report)) output.note(warning);
  }
  if (options.html === undefined) return;
  const file = options.html;
  await writeFile(file, epsPage(reports)).catch((cause: unknown) => {
    throw cliError('LS_CLI_FILE_UNWRITABLE', `${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  });
  output.note(`wrote ${file}`);
}

async function reportOf(access: Access, sample: VectorSample, { minPoints = sample.parameters.minPoints, projection }: EpsOptions, signal: AbortSignal): Promise<EpsReport> {
  const { metric, eps } = sample.parameters;
  const projectionSha256 = projection === undefined ? sample.projectionSha256 : projection === 'none' ? null : projection;
  // The hashes that chose the sample are lost by now; so of what is too much, every so many-th item goes.
  const vectors = await projectedVectors(access, evenly(sample.vectors, sampleSizeMax(minPoints)), projectionSha256, signal);
  const epsValues = projectionSha256 === sample.projectionSha256 ? [eps] : [];
  return epsReport(sample, await inSlices(chooseEps(vectors, { metric, minPoints, epsValues }), signal), projectionSha256);
}

/** Without those that have no image. */
async function projectedVectors({ stateStore }: Access, vectors: readonly Float32Array[], sha256: string | null, signal: AbortSignal): Promise<readonly Float32Array[]> {
  if (sha256 === null) return vectors;
  const projection = openArtefact(await Promise.race([fetchArtefact(stateStore, sha256), rejectionOf(signal)]), sha256);
  return inSlices(imagesOf(projection, vectors), signal);
}

function* imagesOf(projection: FittedProjection, vectors: readonly Float32Array[]): SlicedWork<readonly Float32Array[]> {
  const images: Float32Array[] = [];
  for (const vector of vectors) {
    try {
      images.push(projection.apply(vector));
    } catch (error) {
      const hasNone = error instanceof LabelstreamError && error.code === 'LS_PROJECTION_VECTOR_INVALID' && vector.length === projection.inputDimensions;
      if (!hasNone) throw error;
    }
    yield projection.inputDimensions * projection.outputDimensions;
  }
  return images;
}

function evenly<Value>(values: readonly Value[], countMax: number): readonly Value[] {
  if (values.length <= countMax) return values;
  const step = values.length / countMax;
  return Array.from({ length: countMax }, (_, index) => values[Math.floor(index * step)]).filter((value) => value !== undefined);
}
