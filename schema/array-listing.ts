import type { Listing } from '../src/db/index.ts';

/** A list that is in memory already, paged like those of the store. A row's `index` is its place. */
export const arrayListing = <Parent, Row extends { index: number }>(
  name: string,
  rowsOf: (parent: Parent) => readonly Row[],
): Listing<Parent, object, Row> => ({
  name,
  sortValues: () => [{ type: 'integer', nullable: false }],
  count: (parent) => rowsOf(parent).length,
  looksAt: () => 0,
  page(parent, _, { first, last, after, before }) {
    const all = rowsOf(parent);
    let from = after === undefined ? 0 : Number(after[0]) + 1;
    let to = Math.max(from, before === undefined ? all.length : Number(before[0]));
    // Relay: cursors, then first, then last.
    if (first !== undefined) to = Math.min(to, from + first);
    if (last !== undefined) from = Math.max(from, to - last);
    const rows = all.slice(from, to);
    const keys = rows.map(({ index }) => [index]);
    return { rows, keys, hasPreviousPage: from > 0, hasNextPage: to < all.length };
  },
});
