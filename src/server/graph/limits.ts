/** The longest body of a request to /graphql. */
export const maxBodyBytes = 256 * 1024;

/** Tokens of a document; parsing stops there, so that neither time nor stack is spent on more. */
export const maxTokens = 2_000;

/** Errors that are reported of one document. */
export const maxErrors = 20;

/**
 * A list is three fields deep in Relay (the field, edges, node): from an organism down to tokens is 14, back up to the
 * organisms of the base model 10 more, and GraphiQL's introspection 15. 40 leaves room for one more way down and back.
 */
export const selectionLimits = { depth: 40, fields: 1_000, aliases: 30 };

/** What documents that are kept, parsed, judged and compiled, may take together. */
export const maxDocumentBytes = 48 * 2 ** 20;
