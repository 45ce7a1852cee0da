/** The graph of what is near what, and what follows from it: all that is a function of the live items and the parameters alone. */
import type { NeighbourSearch } from '../neighbour-search.ts';
import { createAdjacency, type Adjacency } from './adjacency.ts';
import { createComponents, type Components } from './component-table.ts';
import { createGonePoints, type GonePoints } from './gone-points.ts';
import { createPoints, type Points } from './points.ts';

export type Structure = {
  readonly points: Points;
  adjacency: Adjacency;
  components: Components;
  /** Those whose neighbours have not all forgotten them. */
  readonly gone: GonePoints;
  readonly search: NeighbourSearch;
  /** Called before the component or the anchor of a point changes: a snapshot that is being written may still need them. */
  readonly beforeChange: (point: number) => void;
  /** The number of ordered pairs of items within eps of each other, each with itself among them. */
  pairCount: number;
};

export function createStructure(search: () => NeighbourSearch, beforeChange: Structure['beforeChange']): Structure {
  const points = createPoints();
  return {
    points,
    adjacency: createAdjacency(points),
    components: createComponents(),
    gone: createGonePoints(),
    get search() {
      return search();
    },
    beforeChange,
    pairCount: 0,
  };
}
