interface ErrorFacts {
  meaning: string;
  /** HTTP status of an answer that has nothing but this error; 200 where the rest of the answer stands beside it. */
  status: number;
  /** Whether the same request may succeed later with nothing changed. */
  retryable: boolean;
  /** What a client should do. */
  remedy: string;
}

const define = <Code extends string>(codes: Record<Code, ErrorFacts>): Readonly<Record<Code, ErrorFacts>> =>
  codes;

const once = { retryable: false } as const;
const again = { retryable: true } as const;

/** Every code that an error of the server may have, in the graph (`extensions.code`) and outside it (`code`). docs/errors.md shows it. */
export const errorCodes = define({
  // ---- the request is no request to the graph ----
  BAD_REQUEST: {
    ...once,
    status: 400,
    meaning:
      'The body, the URL or a parameter is not what the protocol asks for: JSON that is none, no query, an operation that is not there.',
    remedy: 'Mend the request; the message says what is wrong.',
  },
  GRAPHQL_PARSE_FAILED: {
    ...once,
    status: 400,
    meaning: 'The document is not GraphQL, or longer than documents may be.',
    remedy: 'Mend the document at `locations`.',
  },
  GRAPHQL_VALIDATION_FAILED: {
    ...once,
    status: 400,
    meaning: 'The document does not fit the schema.',
    remedy: 'Mend the document at `locations`.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    ...once,
    status: 415,
    meaning: 'The body has a type that is not taken here, or is packed.',
    remedy: 'Send `application/json` without Content-Encoding.',
  },
  PAYLOAD_TOO_LARGE: {
    ...once,
    status: 413,
    meaning: 'The body is longer than bodies may be.',
    remedy: 'Send less at once.',
  },
  URI_TOO_LONG: {
    ...once,
    status: 414,
    meaning: 'The URL is longer than URLs may be.',
    remedy: 'Send the query by POST.',
  },
  METHOD_NOT_ALLOWED: {
    ...once,
    status: 405,
    meaning: 'This is not answered by that method, such as a mutation by GET.',
    remedy: 'Use a method that `Allow` names.',
  },
  HOST_NOT_ALLOWED: {
    ...once,
    status: 421,
    meaning: 'The server was addressed by a name that is not its own.',
    remedy: 'Use a name of the machine that the server answers to.',
  },
  // ---- who asks ----
  UNAUTHENTICATED: {
    ...once,
    status: 401,
    meaning: 'There is no valid token in the request.',
    remedy: 'Send `Authorization: Bearer <token>`.',
  },
  FORBIDDEN: {
    ...once,
    status: 403,
    meaning: 'The token is not good for this.',
    remedy: 'Ask whoever runs the server for a token with the scope that the message names.',
  },
  READ_ONLY: {
    ...once,
    status: 200,
    meaning: 'The server only reads its store: nothing can be changed and no job started.',
    remedy: 'Use a server that was started to write.',
  },
  URL_EXPIRED: {
    ...once,
    status: 403,
    meaning: 'The signed URL was good for a time that is over.',
    remedy: 'Ask the graph for a new one.',
  },
  SIGNATURE_INVALID: {
    ...once,
    status: 403,
    meaning: 'The URL was not signed here as it is, or its token is no longer valid.',
    remedy: 'Ask the graph for a new one.',
  },
  // ---- what is asked for ----
  BAD_USER_INPUT: {
    ...once,
    status: 200,
    meaning:
      'An argument or a variable has a value that cannot be. A variable that cannot be read is status 400.',
    remedy: 'Mend the value; the message says what would be right.',
  },
  INVALID: {
    ...once,
    status: 200,
    meaning: 'In `userErrors`: a member of the input has a value that cannot be.',
    remedy: 'Show it to the person who made the input, at `field`.',
  },
  INVALID_CURSOR: {
    ...once,
    status: 200,
    meaning: 'The cursor is of another list, filter, order, token or store, or none at all.',
    remedy: 'Begin again without it.',
  },
  NOT_FOUND: {
    ...once,
    status: 404,
    meaning:
      'What was named is not there. In the graph only in `userErrors` of mutations, status 200; queries answer null.',
    remedy: 'Look for what is there.',
  },
  CONFLICT: {
    ...once,
    status: 200,
    meaning: 'In `userErrors`: the name or the idempotency key is taken by something else.',
    remedy: 'Choose another name or key.',
  },
  VECTOR_TOO_LARGE_FOR_GRAPHQL: {
    ...once,
    status: 200,
    meaning: 'The vectors of this answer do not fit into it as base64.',
    remedy: 'Fetch the vector from `extensions.url`.',
  },
  ANSWER_TOO_LARGE: {
    ...once,
    status: 413,
    meaning: 'What a download asks for is more than one answer has.',
    remedy: 'Ask for less at once.',
  },
  RANGE_NOT_SATISFIABLE: {
    ...once,
    status: 416,
    meaning: 'The range lies beyond the end of the body.',
    remedy: 'Ask for a range within `Content-Range`.',
  },
  // ---- how much ----
  COST_LIMIT_EXCEEDED: {
    ...once,
    status: 400,
    meaning:
      'The query costs more than one request may (`requested`, `limit`), or has more depth, fields, aliases or directives. Status 200 where it was found out while rows were read.',
    remedy:
      'Say smaller `first`, leave inner lists out, fetch the rest by pages; `serviceConfig` has the limits.',
  },
  RATE_LIMITED: {
    ...again,
    status: 429,
    meaning: 'The client has used up its points of this hour, or listens to as many jobs as it may.',
    remedy: 'Wait as many seconds as `Retry-After` says; end a stream.',
  },
  TIMEOUT: {
    ...once,
    status: 504,
    meaning: 'The request took longer than it may and was ended; it has no data. It is charged twice.',
    remedy: 'Ask for less at once. As it stands it will take as long again.',
  },
  // ---- the server ----
  OVERLOADED: {
    ...again,
    status: 503,
    meaning:
      'The server has more to do than it can, or something else keeps the store from being written to.',
    remedy: 'Try again in a second, or after as many as `Retry-After` says.',
  },
  STORAGE_FULL: {
    ...again,
    status: 200,
    meaning: 'The disk of the store is full; reads go on.',
    remedy: 'Tell whoever runs the server to make room, then try again.',
  },
  STORE_CORRUPT: {
    ...once,
    status: 200,
    meaning: 'Numbers in the store are damaged.',
    remedy: 'Tell whoever runs the server to restore it from a copy; `requestId` finds it in the log.',
  },
  ENGINE_UNAVAILABLE: {
    ...once,
    status: 503,
    meaning: 'The native code that this needs does not load on the server.',
    remedy: 'Tell whoever runs the server to build it there; everything else can be read meanwhile.',
  },
  INTERNAL: {
    ...once,
    status: 500,
    meaning: 'Something went wrong on our side. Status 200 where other fields of the answer stand.',
    remedy: 'Report it with `requestId`: the log has the details under it.',
  },
});

export type ErrorCode = keyof typeof errorCodes;

/** Whether the same request may succeed later; not for a code that is not ours. */
export const isRetryable = (code: unknown): boolean =>
  typeof code === 'string' && code in errorCodes && errorCodes[code as ErrorCode].retryable;

/** What each means, for the schema. */
export const describedErrors = Object.fromEntries(
  Object.entries(errorCodes).map(([code, { meaning }]) => [code, meaning]),
) as Record<ErrorCode, string>;
