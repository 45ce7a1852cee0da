/** Which collections a person means by a name or a template, and how a sample is shared among them. */
import type { Access } from '../open-access.ts';
import { cliError } from '../core/errors/cli.ts';
import type { ClusterView } from '../stages/cluster/cluster-queries.ts';

export type CollectionPlace = ReturnType<ClusterView['collections']>['value'][number];

/**
 * Those with items: of the family of that template, or else of that name, in whatever families. Throws LS_CLI_NOT_FOUND where there is none.
 * @param purpose what there is nothing to do by without items.
 */
export function placesOf(view: Pick<ClusterView, 'collections'>, { configuration }: Pick<Access, 'configuration'>, wanted: string, purpose: string): readonly CollectionPlace[] {
  const known = view.collections().value;
  const ofFamily = known.filter(({ family }) => family === wanted);
  const places = ofFamily.length > 0 ? ofFamily : known.filter(({ collection }) => collection === wanted);
  if (places.length > 0) return places;
  const names = [...new Set(known.map(({ collection }) => collection))].join(', ') || 'none';
  const isConfigured = configuration.collections.some(({ name }) => name === wanted);
  const message = isConfigured
    ? `the collection "${wanted}" holds no items, so there is nothing to ${purpose}; with items there are: ${names}. What is not processed yet is in none: \`labelstream lag\` tells`
    : `there is no collection "${wanted}" with items in it; there are: ${names}`;
  throw cliError('LS_CLI_NOT_FOUND', message, { collection: wanted });
}

/** Of so many items in all, how many to take from each place: by its share of the items, so that the sample is one of all of them. */
export function sharesOf(places: readonly { readonly itemCount: number }[], sampleMax: number): readonly number[] {
  const total = places.reduce((sum, { itemCount }) => sum + itemCount, 0);
  if (total <= sampleMax) return places.map(({ itemCount }) => itemCount);
  let before = 0;
  return places.map(({ itemCount }) => {
    const from = Math.floor((before * sampleMax) / total);
    before += itemCount;
    return Math.floor((before * sampleMax) / total) - from;
  });
}
