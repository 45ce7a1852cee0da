/** `collections fit`: a projection fitted to live vectors, kept where every instance finds it (SEMANTICS.md, rule 16). */
import { clustersOf } from '../../clusters-of.ts';
import type { Access } from '../../open-access.ts';
import { encodeArtefact } from '../../clustering/projection/artefact.ts';
import { projectionKind } from '../../clustering/projection/kinds.ts';
import { inSlices } from '../../clustering/sliced-work.ts';
import { cliError } from '../../core/errors/cli.ts';
import { storeArtefact } from '../../pipeline/artefact-store.ts';
import { placesOf, sharesOf, type CollectionPlace } from '../collection-places.ts';
import type { ConfigurationOptions } from '../context.ts';
import type { Output } from '../output.ts';

export type FitOptions = ConfigurationOptions & {
  readonly collection: string;
  readonly sample: number;
  readonly kind: string;
  readonly components: number;
  readonly json?: boolean;
};

/** Nothing is kept where it rejects: LS_CLI_NOT_FOUND, LS_PROJECTION_*, LS_STATE_WRITE_FAILED. */
export async function fitProjection(access: Access, options: FitOptions, output: Output, signal: AbortSignal): Promise<void> {
  const { collection, sample: sampleMax, components } = options;
  const kind = projectionKind(options.kind);
  const view = await clustersOf(access, signal);
  const places = placesOf(view, access, collection, 'fit a projection to');
  const family = familyOf(places, collection);
  const shares = sharesOf(places, sampleMax);
  // One collection after the other, so that no more is copied than is used.
  const vectors = places.flatMap((place, index) => {
    const share = shares[index] ?? 0;
    const samples = share === 0 ? [] : view.vectors(place.collection, share).value;
    return samples.filter((sample) => sample.family === family).flatMap((sample) => sample.vectors);
  });
  const artefact = await inSlices(kind.fit(vectors, components), signal);
  const sha256 = await storeArtefact(access.stateStore, encodeArtefact(artefact));
  const { kind: fitted, inputDimensions, outputDimensions, sampleSize } = artefact;
  if (output.json) {
    output.object({ projection: sha256, kind: fitted, family, inputDimensions, outputDimensions, sampleSize });
    return;
  }
  const version = access.configuration.collections.find(({ name }) => name === family)?.version ?? 0;
  output.line(`fitted ${fitted} to ${sampleSize} vectors of ${family}: ${inputDimensions} dimensions to ${outputDimensions}`);
  output.line(sha256);
  output.note('it acts once the configuration names it, with a higher version:');
  for (const line of ['collections:', `  - name: ${JSON.stringify(family)}`, `    version: ${version + 1}`, `    projection: ${sha256}`, '    eps: ...']) output.note(line);
  const largest = places.toSorted((left, right) => right.itemCount - left.itemCount)[0];
  output.note('distances are others under it, so eps has to be chosen anew:');
  output.note(`labelstream clusters eps --collection ${JSON.stringify(largest?.collection ?? family)} --projection ${sha256} -c ${options.config}`);
}

function familyOf(places: readonly CollectionPlace[], collection: string): string {
  const [family = '', ...others] = new Set(places.map((place) => place.family));
  if (others.length === 0) return family;
  const message = `there is a collection "${collection}" in each of ${[family, ...others].join(', ')}: name the one that is meant by its template`;
  throw cliError('LS_CLI_NOT_FOUND', message, { collection });
}
