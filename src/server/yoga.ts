import type { DocumentNode, ExecutionResult } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { type GraphContext, schema } from '../../schema/index.ts';
import { maxBodyBytes } from '../../schema/limits.ts';
import type { Prepared } from './graph/documents.ts';
import { type Request, weigh } from './graph/execute.ts';
import { maskError } from './graph/mask-errors.ts';
import type { Graph } from './graphql.ts';
import { parsed } from './reader/raw-json.ts';
import type { Call, Services } from './route.ts';

/** Our documents and executor in the place of yoga's. */
function useGraph({ documents, execute, admit, present, chargeRefusal }: Graph): Plugin<{ call: Call }> {
  const of = (document: DocumentNode): Prepared => {
    const prepared = documents.of(document);
    if (!prepared) throw new Error('yoga has a document that was not prepared here');
    return prepared;
  };
  const requestOf = (args: {
    document: DocumentNode;
    operationName?: string | null | undefined;
    variableValues?: unknown;
    contextValue: unknown;
  }): Request => ({
    prepared: of(args.document),
    operationName: args.operationName,
    variables: args.variableValues as Record<string, unknown> | undefined,
    context: args.contextValue as GraphContext,
  });
  return {
    onParse({ params, context, setParsedDocument }) {
      const { document, errors } = documents.prepare(String(params.source));
      if (errors.length > 0) chargeRefusal(context.call);
      if (!document) throw errors[0];
      setParsedDocument(document);
    },
    onValidate: ({ params, setResult }) => setResult(of(params.documentAST).errors),
    onExecute: ({ args, setExecuteFn }) =>
      setExecuteFn(async () => parsed(await execute(requestOf(args), args.contextValue.call))),
    onSubscribe({ args, setResultAndStopExecution }) {
      const { call } = args.contextValue;
      const refused = admit(weigh(schema, documents, requestOf(args)), call);
      if (refused) return setResultAndStopExecution(refused as never);
      return {
        onSubscribeResult: () => ({
          onNext: ({ result, setResult }) => setResult(present(result, call)),
        }),
      };
    },
    onResultProcess({ result, setResult, serverContext }) {
      const { call } = serverContext as unknown as { call: Call };
      if ('errors' in result) setResult(present(result as ExecutionResult, call));
    },
  };
}

/** The graph over HTTP by yoga, for all that is not a plain POST: GET, events; without the defaults that are unsafe for us. */
export const createYogaFor = (graph: Graph, { log }: Pick<Services, 'log'>) =>
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
    graphiql: false, // see graphiql.ts
  });
