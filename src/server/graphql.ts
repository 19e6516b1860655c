import { GraphQLError, parse, type ParseOptions, type Source } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { randomUUID } from 'node:crypto';
import { graphContext, schema } from '../../schema/index.ts';
import { StoreError, type Store } from '../db/index.ts';
import { LruCache } from '../lib/lru-cache.ts';
import { exampleQuery } from './example-query.ts';
import { selectionLimits } from './selection-limits.ts';

export const maxBodyBytes = 256 * 1024;

/** Tokens of a document; parsing stops there, so that neither time nor stack is spent on more. */
const maxTokens = 2_000;

const cachedDocuments = 128;

/**
 * A list is three fields deep in Relay (the field, edges, node): from an organism down to tokens is 14, back up to the
 * organisms of the base model 10 more, and GraphiQL's introspection 15. 40 leaves room for one more way down and back.
 */
const limits = { depth: 40, fields: 1_000, aliases: 30 };

const useLimits = (): Plugin => ({
  onParse: ({ setParseFn }) =>
    setParseFn((source: string | Source, options?: ParseOptions) => parse(source, { ...options, maxTokens })),
  onValidate: ({ addValidationRule }) => addValidationRule(selectionLimits(limits)),
});

/** What graphql-js itself refuses when it executes, such as a variable of the wrong type, is the request's fault. */
const useErrorCodes = (): Plugin => ({
  onExecutionResult({ result }) {
    const errors = result && 'errors' in result ? (result.errors ?? []) : [];
    for (const error of errors) error.extensions['code'] ??= 'BAD_USER_INPUT';
  },
});

/**
 * Errors written for clients pass. Anything else is our failure: the client gets an id, the log gets the rest under that id.
 * @see https://the-guild.dev/graphql/yoga-server/docs/features/error-masking
 */
const maskError = (log: (line: string) => void) => (error: unknown) => {
  const cause = error instanceof GraphQLError ? error.originalError : error;
  if (error instanceof GraphQLError && (cause === undefined || cause instanceof GraphQLError)) return error;
  const requestId = randomUUID();
  log(`request ${requestId}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
  const [message, code] =
    cause instanceof StoreError && cause.code === 'STORE_CORRUPT'
      ? ['These numbers are damaged in the store; restore it from a copy.', cause.code]
      : ['Something went wrong on our side; the log has the details under this requestId.', 'INTERNAL'];
  const { nodes = null, path = null } = error instanceof GraphQLError ? error : {};
  return new GraphQLError(message, { nodes, path, extensions: { code, requestId } });
};

/** The graph over HTTP, with limits and without the defaults that are unsafe for us. */
export const createGraph = ({
  store,
  graphiql,
  log,
}: {
  store: Store;
  graphiql: boolean;
  log: (line: string) => void;
}) =>
  createYoga({
    schema,
    context: ({ request }) => graphContext(store, new URL(request.url).origin),
    plugins: [useLimits(), useErrorCodes()],
    cors: false, // yoga's default lets every site read every answer
    multipart: false,
    batching: false,
    maxRequestBodySize: maxBodyBytes,
    // Yoga keeps 1,024 documents by default; with the longest texts we accept that is half a gigabyte.
    parserAndValidationCache: {
      documentCache: new LruCache(cachedDocuments),
      errorCache: new LruCache(cachedDocuments),
    },
    landingPage: false,
    logging: false,
    maskedErrors: { maskError: maskError(log) },
    graphiql: graphiql ? { title: 'Deltascope', defaultQuery: exampleQuery } : false,
    // The page with everything in it: no asset comes from elsewhere. 9 MB, so loaded when first asked for.
    renderGraphiQL: async (options) =>
      (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
  });
