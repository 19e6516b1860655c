import type { DocumentNode, ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { graphContext, jobServices, schema, type GraphContext } from '../../schema/index.ts';
import { maxRows } from '../../schema/limits.ts';
import { exampleQuery } from './example-query.ts';
import { Documents, type Prepared } from './graph/documents.ts';
import { execute, type Request } from './graph/execute.ts';
import { maxBodyBytes, maxDocumentBytes } from './graph/limits.ts';
import { maskError, maskResult } from './graph/mask-errors.ts';
import { introspectionRefused, introspects, isStranger, withoutSuggestion } from './graph/strangers.ts';
import { type Call, clientOf, type Services } from './route.ts';

/** Where documents are judged and kept; one for each server. */
export const createDocuments = (): Documents => new Documents(schema, maxDocumentBytes);

/** What both ways to the graph share: documents judged once, one context, one executor, one way to report errors. */
export function createGraph({
  log,
  access,
  signer,
  metrics,
  documents,
  roots,
  streams,
}: Pick<Services, 'log' | 'access' | 'signer' | 'metrics' | 'roots' | 'streams'> & { documents: Documents }) {
  const jobs = jobServices({ streams, ...(roots && { roots }) });
  const contextOf = (call: Call): GraphContext => {
    const { store, origin, token, response, id } = call;
    return graphContext(store, origin, {
      signUrl: token && ((path, expiresIn) => signer().sign(path, token, expiresIn)),
      // A stream asks before each poll: it must not outlive its client either.
      isCurrent: () => !response.destroyed && call.isCurrent(),
      requestId: id,
      guarded: access.guarded(),
      jobs: { ...jobs, client: clientOf(call) },
    });
  };
  const answer = async (request: Request, id: string): Promise<ExecutionResult> => {
    const { prepared, context } = request;
    const strange = isStranger(context);
    const refused = strange && prepared.document && introspects(prepared.document);
    const result = maskResult(
      refused ? introspectionRefused() : await execute(schema, documents, request),
      log,
      id,
    );
    metrics.graphqlRows(maxRows - context.rowsLeft);
    return strange && result.errors ? { ...result, errors: result.errors.map(withoutSuggestion) } : result;
  };
  /** Counts the errors of an answer that is about to be sent. */
  const countErrors = (errors: readonly GraphQLError[] = []) => {
    for (const { extensions } of errors) metrics.graphqlError(String(extensions['code'] ?? 'BAD_REQUEST'));
  };
  return { documents, contextOf, execute: answer, countErrors };
}

export type Graph = ReturnType<typeof createGraph>;

/** Our documents and executor in the place of yoga's. */
function useGraph({ documents, contextOf, execute, countErrors }: Graph): Plugin<{ call: Call }> {
  const of = (document: DocumentNode): Prepared => {
    const prepared = documents.of(document);
    if (!prepared) throw new Error('yoga has a document that was not prepared here');
    return prepared;
  };
  return {
    onParse({ params, setParsedDocument }) {
      const { document, errors } = documents.prepare(String(params.source));
      if (!document) throw errors[0];
      setParsedDocument(document);
    },
    onValidate: ({ params, setResult }) => setResult(of(params.documentAST).errors),
    onResultProcess({ result, setResult, serverContext }) {
      if (!('errors' in result) || !result.errors) return;
      countErrors(result.errors);
      if (isStranger(contextOf((serverContext as unknown as { call: Call }).call)))
        setResult({ ...result, errors: result.errors.map(withoutSuggestion) });
    },
    onExecute: ({ args, setExecuteFn }) =>
      setExecuteFn(() =>
        execute(
          {
            prepared: of(args.document),
            operationName: args.operationName,
            variables: args.variableValues as Record<string, unknown> | undefined,
            context: args.contextValue as unknown as GraphContext,
          },
          args.contextValue.call.id,
        ),
      ),
  };
}

/** The graph over HTTP by yoga, for all that is not a plain POST: GraphiQL, GET, events; without the defaults that are unsafe for us. */
export const createYogaFor = (graph: Graph, { graphiql, log }: Pick<Services, 'graphiql' | 'log'>) =>
  createYoga<{ call: Call }>({
    schema,
    context: ({ call }) => graph.contextOf(call),
    plugins: [useGraph(graph)],
    cors: false, // yoga's default lets every site read every answer
    multipart: false,
    batching: false,
    maxRequestBodySize: maxBodyBytes,
    parserAndValidationCache: false, // ours is bounded in bytes
    landingPage: false,
    logging: false,
    maskedErrors: { maskError: maskError(log) },
    graphiql: graphiql ? { title: 'Deltascope', defaultQuery: exampleQuery } : false,
    // The page with everything in it: no asset comes from elsewhere. 9 MB, so loaded when first asked for.
    renderGraphiQL: async (options) =>
      (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
  });
