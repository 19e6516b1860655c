/** Rows of a list when neither `first` nor `last` is given. */
export const defaultPageSize = 50;

/** The most rows of a list, or ids in `nodes`, in one go; more is an error, never a silently shorter answer. */
export const maxPageSize = 200;

/** The most numbers in `Vector.preview`. */
export const maxPreview = 64;

/** The biggest vector that `Vector.dataBase64` carries; bigger ones leave by URL only. */
export const maxBase64Bytes = 64 * 1024;

/**
 * The most rows that all lists of one request read together; a text or a vector that is read for an answer counts as one row per
 * 4 KiB. Counted as they are read, so variables, fragments and aliases cannot hide any. At about 10 µs a row a request holds the
 * event loop for at most some 0.2 s.
 */
export const maxRows = 20_000;

/** How deep `and`, `or` and `not` of a filter may lie in each other. */
export const maxFilterDepth = 3;

/** The most comparisons of a filter. */
export const maxFilterLeaves = 50;

/** The most values of an `in`. */
export const maxFilterValues = 200;

/** The longest text in a filter or a search, in UTF-16 units. */
export const maxFilterText = 1_000;

/** The most members of `orderBy`. */
export const maxOrders = 3;
