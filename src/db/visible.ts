/** Who reads. What they may see is decided by `visible` and `listed` alone. */
export interface Viewer {
  /** Sees and may change everything: the owner of a store on this machine, or an administrator. */
  readonly all: boolean;
}

/** The owner of the store: commands, and a server on loopback without tokens. */
export const owner: Viewer = { all: true };

/** SQL for "this viewer may see the row of `table` that has been found by its key". `table`: organisms, models or corpora, or an alias of one. */
export const visible = (viewer: Viewer, table: string): string =>
  viewer.all ? 'true' : `${table}.id is null`;

/** SQL for "this viewer's lists, counts and searches contain the row of `table`". */
export const listed = (viewer: Viewer, table: string): string => visible(viewer, table);
