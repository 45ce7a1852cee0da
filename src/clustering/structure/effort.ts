/** What parts of the work on a record count as in slices (sliced-work.ts): about nanoseconds, where the lists of neighbours are all over the memory. */

/** A point, or an item, is looked at and changed. */
export const perPoint = 400;
/** The list of a point's neighbours is read, and each of them looked at. */
export const perList = 3000;
