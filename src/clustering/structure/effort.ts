/** What parts of the work on a record count as in slices (sliced-work.ts): about nanoseconds, where the lists of neighbours are all over the memory. */

/** A point, or an item, is looked at and changed. */
export const perPoint = 400;
/** A neighbour in a point's list is read, and looked at. */
export const perNeighbour = 30;
/** The list of a point's neighbours is looked through until something is found in it, or it is short. */
export const perList = 3000;
