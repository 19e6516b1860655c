import { type DocumentNode, type ExecutionResult, type GraphQLError, OperationTypeNode } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { overloaded, rateLimited, timeout, unauthenticated } from '../../schema/errors.ts';
import { graphContext, jobServices, schema, type GraphContext } from '../../schema/index.ts';
import { maxBodyBytes, maxCost } from '../../schema/limits.ts';
import { exampleQuery } from './example-query.ts';
import { Documents, type Prepared } from './graph/documents.ts';
import { executeWeighed, type Request, weigh, type Weighed } from './graph/execute.ts';
import { dearCost, maxDocumentBytes } from './graph/limits.ts';
import { maskError, maskResult } from './graph/mask-errors.ts';
import { Meter } from './graph/meter.ts';
import { presentErrors } from './graph/present-errors.ts';
import { introspectionRefused, introspects, isStranger } from './graph/strangers.ts';
import { unpack } from './reader/protocol.ts';
import { parsed } from './reader/raw-json.ts';
import type { Reader } from './reader/reader.ts';
import { type Call, clientOf, type Services } from './route.ts';

/** Where documents are judged and kept; one for each server. */
export const createDocuments = (): Documents => new Documents(schema, maxDocumentBytes);

type GraphServices = Pick<
  Services,
  | 'log'
  | 'signer'
  | 'metrics'
  | 'roots'
  | 'streams'
  | 'engine'
  | 'pointsPerHour'
  | 'timeoutMs'
  | 'reader'
  | 'dearCost'
> & { documents: Documents };

/** What both ways to the graph share: documents judged once, one context, one executor, one way to count and to report errors. */
export function createGraph({ log, signer, metrics, documents, roots, streams, ...services }: GraphServices) {
  const jobs = jobServices({ streams, ...(roots && { roots }) });
  const { engine, timeoutMs, reader, dearCost: dear = dearCost } = services;
  const meter = new Meter(services.pointsPerHour);

  const contextOf = (call: Call): GraphContext => {
    const { store, origin, token, response, id, viewer } = call;
    const guarded = viewer.kind !== 'OWNER';
    const pointsPerHour = meter.pointsPerHour(call);
    return graphContext(store, origin, {
      signUrl: token && ((path, expiresIn) => signer().sign(path, token, expiresIn)),
      // A stream asks before each poll: it must not outlive its client either.
      isCurrent: () => !response.destroyed && call.isCurrent(),
      requestId: id,
      guarded,
      jobs: { ...jobs, client: clientOf(call) },
      costLimit: Math.min(isStranger(call) ? maxCost.anonymous : maxCost.known, pointsPerHour ?? Infinity),
      service: { pointsPerHour, jobs: engine !== undefined, tokens: guarded, writes: !store.readonly },
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  };

  /** Takes what a request may cost; where that cannot be had, or it is refused, the answer that says so. */
  function admit(weighed: Weighed, call: Call): ExecutionResult | undefined {
    if (!meter.take(call, Math.max(1, weighed.errors ? 0 : weighed.cost))) return { errors: [rateLimited()] };
    return weighed.errors && { errors: weighed.errors };
  }

  const isDear = ({ operation, cost }: Weighed): boolean =>
    cost > dear && operation?.definition.operation === OperationTypeNode.QUERY;

  /** Result of what was weighed, and the rows that were read for it. */
  async function here(weighed: Weighed, { id }: Call): Promise<{ result: ExecutionResult; read: number }> {
    const result = maskResult(await executeWeighed(schema, documents, weighed), log, id);
    const { costLimit, rowsLeft } = weighed.request.context;
    return { result, read: costLimit - rowsLeft };
  }

  /** The same by the reader, so that what is dear holds up nobody. */
  async function elsewhere(reader: Reader, { request, cost }: Weighed, call: Call): ReturnType<typeof here> {
    const { prepared, operationName = null, variables = null, context } = request;
    const { origin, guarded, costLimit, service } = context;
    const gone = new AbortController();
    call.response.once('close', () => gone.abort());
    const answer = await reader.ask(
      {
        source: prepared.source,
        operationName,
        variables,
        viewer: call.viewer,
        token: call.token ?? null,
        origin,
        guarded,
        costLimit,
        service,
        requestId: call.id,
        timeoutMs: context.deadline - performance.now(),
      },
      gone.signal,
    );
    // Whoever's token has ended meanwhile gets nothing any more.
    if (!call.isCurrent()) return { result: { errors: [unauthenticated()] }, read: cost };
    if (answer === 'TIMEOUT') return { result: { errors: [timeout()] }, read: cost };
    if (answer === 'BUSY') return { result: { errors: [overloaded()] }, read: 0 };
    if (answer === 'FAILED') {
      const failure = new Error('the reader ended twice over one query');
      return { result: maskResult({ errors: [failure as GraphQLError] }, log, call.id), read: cost };
    }
    for (const entry of answer.log) log(entry);
    return { result: unpack(answer, prepared.source), read: answer.rows };
  }

  async function answer(request: Request, call: Call): Promise<ExecutionResult> {
    const weighed = weigh(schema, documents, request);
    if (isStranger(call) && request.prepared.document && introspects(request.prepared.document))
      weighed.errors = [introspectionRefused()];
    const requested = Math.max(1, weighed.cost);
    const refused = admit(weighed, call);
    const withCost = (result: ExecutionResult, actual: number, timedOut = false): ExecutionResult => {
      const standing = refused ? undefined : meter.settle(call, { requested, actual }, timedOut);
      if (call.request.headers['x-cost'] !== '1') return result;
      const { remaining = null, reset } = standing ?? {};
      const resetAt = reset === undefined ? null : new Date(Date.now() + 1_000 * reset).toISOString();
      return { ...result, extensions: { cost: { requested, actual, remaining, resetAt } } };
    };
    if (refused) return withCost(maskResult(refused, log, call.id), 0);

    const { result, read } = await (isDear(weighed) && reader
      ? elsewhere(reader, weighed, call)
      : here(weighed, call));
    metrics.graphqlRows(read);
    const timedOut = result.errors?.some(({ extensions }) => extensions['code'] === 'TIMEOUT') ?? false;
    const changes = weighed.operation?.definition.operation === 'mutation';
    const actual = Math.max(1, read, changes ? requested : 0);
    return withCost(timedOut ? { errors: [timeout()] } : result, actual, timedOut);
  }

  /** An answer as it is sent; its errors are counted. */
  function present<Result extends ExecutionResult>(result: Result, call: Call): Result {
    if (!result.errors) return result;
    const errors = presentErrors(result.errors, {
      requestId: call.id,
      suggestions: !isStranger(call),
      hasData: result.data !== undefined,
    });
    for (const { extensions } of errors) metrics.graphqlError(String(extensions['code']));
    return { ...result, errors };
  }

  /** Whether the client has any points left; where not, `refusal` is the answer. */
  const mayAsk = (call: Call): boolean => meter.take(call, 0);
  const refusal = (): ExecutionResult => ({ errors: [rateLimited()] });
  return {
    documents,
    contextOf,
    execute: answer,
    admit,
    present,
    mayAsk,
    refusal,
    chargeRefusal: (call: Call) => meter.takeForRefusal(call),
  };
}

export type Graph = ReturnType<typeof createGraph>;

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
