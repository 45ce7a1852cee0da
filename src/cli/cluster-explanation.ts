/** Why an item is where it is, in sentences and as data. */
import type { ItemDistance } from '../clustering/clustering.ts';
import { counted } from '../core/counted.ts';
import type { PartitionExplanation } from '../stages/cluster/cluster-queries.ts';

/** changedBy: an itemId or the kind of a control record; null where the record is not kept. */
type Explained = PartitionExplanation & { readonly changedBy: string | null };

const digits = 4;

export function explanationOf({ metric, eps, projectionSha256, minPoints, density, nearestCore, neighbours, nearest, partition, changedAt, changedBy }: Explained) {
  return { metric, eps, projectionSha256, minPoints, density, nearestCore, neighbours, nearest, changedAt: { partition, sequence: changedAt, cause: changedBy } };
}

export function explanationLines(explained: Explained): readonly string[] {
  const { itemId, collection, metric, eps, projectionSha256, minPoints, density, role, nearestCore, neighbours, nearest, partition, changedAt, changedBy } = explained;
  const reason = {
    core: `and ${minPoints} (minPoints) make a core`,
    border: `fewer than ${minPoints} (minPoints), but a core is among them`,
    noise: `fewer than ${minPoints} (minPoints), and no core is among them`,
  }[role];
  const others = density - 1 - neighbours.length;
  const near = neighbours.map(shown).join(', ') + (others > 0 ? ` and ${counted(others, 'other')}` : '');
  return [
    `${itemId} is ${role} in ${collection}: ${counted(density, 'item')} within eps ${eps} (${metric}${projectionSha256 === null ? '' : ', between projected vectors'}), itself counted, ${reason}`,
    ...(nearestCore === null ? [] : [`  nearest core: ${shown(nearestCore)}`]),
    ...(nearest === null ? [] : [`  nearest of all, within eps or not: ${nearest.item === null ? 'no other item' : shown(nearest.item)}; nearest core: ${nearest.core === null ? 'there is none' : shown(nearest.core)}`]),
    ...(near === '' ? [] : [`  near it: ${near}`]),
    `  assigned by record ${changedAt} of partition ${partition} of features: ${changedBy ?? 'not kept any more'}`,
  ];
}

function shown({ itemId, distance }: ItemDistance): string {
  return `${itemId} (${Number(distance.toPrecision(digits))})`;
}
