/** Rows of a list when neither `first` nor `last` is given. */
export const defaultPageSize = 50;

/** The most rows of a list, or ids in `nodes`, in one go; more is an error, never a silently shorter answer. */
export const maxPageSize = 200;

/** The most numbers in `Vector.preview`. */
export const maxPreview = 64;

/** The biggest vector that `Vector.dataBase64` carries; bigger ones leave by URL only. */
export const maxBase64Bytes = 64 * 1024;

/** What all `Vector.dataBase64` of one answer may carry together, in bytes before base64. */
export const maxBase64BytesPerAnswer = 1024 * 1024;

/** Seconds for which a signed URL opens when nothing else is asked. */
export const defaultUrlSeconds = 15 * 60;

/** The longest that a signed URL may open, in seconds. */
export const maxUrlSeconds = 24 * 60 * 60;

/**
 * The most rows that all lists of one request read together; a text or a vector that is read for an answer counts as one row per
 * 4 KiB. Counted as they are read, so variables, fragments and aliases cannot hide any. At about 10 µs a row a request holds the
 * event loop for at most some 0.2 s.
 */
export const maxRows = 20_000;

/** The most streams of job events that one client listens to at a time. */
export const maxStreamsPerClient = 8;

/** Events of a job kept for listeners are read in batches of so many. */
export const eventBatch = 100;

/** The longest text of a note, in characters. */
export const maxNoteLength = 20_000;

/** The most tags of an organism or a run. */
export const maxTags = 50;

/** How deep `and`, `or`, `not` and `some` of a filter may lie in each other. */
export const maxFilterDepth = 3;

/** The most comparisons of a filter. */
export const maxFilterLeaves = 50;

/** The most values of an `in`. */
export const maxFilterValues = 200;

/** The longest text in a filter or a search, in UTF-16 units. */
export const maxFilterText = 1_000;

/** The most members of `orderBy`. */
export const maxOrders = 3;
