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
 * The most that one request may cost, in points, by who asks. It is computed before anything is executed (src/server/graph/cost.ts):
 * a point for each object on a full page of every list. What is then read is counted once more as it is read, a row a point, so
 * that no wrong estimate lets more through. At about 10 µs a point a request holds the event loop for at most 0.05 or 0.2 s.
 */
export const maxCost = { anonymous: 5_000, known: 20_000 } as const;

/** The most that a mutation may cost with what it answers, in points: nobody else can be answered meanwhile. */
export const maxPayloadCost = 2_000;

/** What `topTokens` and `some` of a filter cost each, and a token search: about what a page costs. */
export const searchCost = 50;

/** A text or a vector that is read for an answer costs a point for so many bytes. */
export const bytesPerPoint = 4096;

/** What one search of `neighbours` costs at most, in points, however many vectors are stored; a long one is a reader's. */
export const maxSearchCost = 500;

/** Where requests are counted: a client's bucket holds so many points, and as many run out of it in an hour. */
export const pointsPerHour = 200_000;

/** What a document that is refused takes from the bucket: to parse and judge it takes as long as to read so many rows. */
export const refusedDocumentCost = 100;

/** The longest that a request to the graph may be at work, in milliseconds. Looked at whenever rows are read. */
export const requestTimeoutMs = 10_000;

/** The longest body of a request to /graphql. */
export const maxBodyBytes = 256 * 1024;

/** The longest document, in UTF-16 units. */
export const maxSourceLength = 100_000;

/** Tokens of a document; parsing stops there, so that neither time nor stack is spent on more. */
export const maxTokens = 2_000;

/** Directives in a document. */
export const maxDirectives = 20;

/**
 * Of one operation, fragments spread out in each place. A list is three fields deep in Relay (the field, edges, node): from an
 * organism down to tokens is 14, back up to the organisms of the base model 10 more, and GraphiQL's introspection 15. 40 leaves
 * room for one more way down and back. `aliases` are fields under another name than their own, `__typename` left out;
 * `repeats` counts a field that is asked for again in the same place, each of which is compared with each other.
 */
export const selectionLimits = {
  depth: 40,
  fields: 1_000,
  aliases: 30,
  aliasesOfField: 10,
  repeats: 50,
} as const;

/** How deep objects and lists of a request's JSON may lie in each other. */
export const maxJsonDepth = 64;

/** The longest list in variables; those that mean something are shorter: see `in` and `ids`. */
export const maxListLength = 1_000;

/** Errors that are told in one answer, and how many bytes of JSON they have together at most. */
export const maxErrors = 20;
export const maxErrorBytes = 64 * 1024;

/** The longest message of an error, in UTF-16 units; a longer one is cut, since it may quote what was sent. */
export const maxMessageLength = 1_000;

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
