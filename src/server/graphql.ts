import { type ExecutionResult, OperationTypeNode } from 'graphql';
import { overloaded, rateLimited, timeout, unauthenticated } from '../../schema/errors.ts';
import { graphContext, jobServices, schema, type GraphContext } from '../../schema/index.ts';
import { maxCost, maxPayloadCost } from '../../schema/limits.ts';
import { Documents } from './graph/documents.ts';
import { type Executed, executeWeighed, type Request, weigh, type Weighed } from './graph/execute.ts';
import { dearCost, dearSearch, maxDocumentBytes } from './graph/limits.ts';
import { maskResult } from './graph/mask-errors.ts';
import { Meter } from './graph/meter.ts';
import { presentErrors } from './graph/present-errors.ts';
import { introspectionRefused, introspects, isStranger } from './graph/strangers.ts';
import { unpack } from './reader/protocol.ts';
import type { Reader } from './reader/reader.ts';
import { type Call, clientOf, type Services, turnOf } from './route.ts';

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
  | 'readers'
  | 'dearCost'
  | 'dearSearch'
> & { documents: Documents };

/** What both ways to the graph share: documents judged once, one context, one executor, one way to count and to report errors. */
export function createGraph({ log, signer, metrics, documents, roots, streams, ...services }: GraphServices) {
  const jobs = jobServices({ streams, ...(roots && { roots }) });
  const { engine, timeoutMs, readers } = services;
  const { dearCost: mostCost = dearCost, dearSearch: mostSearched = dearSearch } = services;
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

  /** Here, where nothing makes the others wait for long; else by a reader: where it costs a lot, or has a lot to go through. */
  async function execute(weighed: Weighed, call: Call): Promise<Executed> {
    const { context } = weighed.request;
    const limits = { rowsLeft: mostSearched, moved: false };
    switch (weighed.operation?.definition.operation) {
      case OperationTypeNode.MUTATION:
        context.here = { ...limits, pointsLeft: maxPayloadCost, movable: false };
        return here(weighed, call);
      case OperationTypeNode.QUERY: {
        const reader = readers?.[isStranger(call) ? 'strangers' : 'known'];
        if (!reader) return here(weighed, call);
        if (weighed.cost > mostCost) return elsewhere(reader, weighed, call);
        context.here = { ...limits, pointsLeft: mostCost, movable: true };
        const executed = await here(weighed, call);
        return context.here.moved ? elsewhere(reader, weighed, call) : executed;
      }
      default:
        return here(weighed, call);
    }
  }

  async function here(weighed: Weighed, { id }: Call): Promise<Executed> {
    const { result, rowsRead } = await executeWeighed(schema, documents, weighed);
    const moved = weighed.request.context.here?.moved === true;
    return { result: moved ? result : maskResult(result, log, id), rowsRead };
  }

  /** The same by a reader, so that what is dear holds up nobody. */
  async function elsewhere(reader: Reader, { request, cost }: Weighed, call: Call): Promise<Executed> {
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
      turnOf(call),
      gone.signal,
    );
    // Whoever's token has ended meanwhile gets nothing any more.
    if (!call.isCurrent()) return { result: { errors: [unauthenticated()] }, rowsRead: cost };
    if (answer === 'TIMEOUT') return { result: { errors: [timeout()] }, rowsRead: cost };
    if (answer === 'BUSY') return { result: { errors: [overloaded()] }, rowsRead: 0 };
    if (answer === 'FAILED') {
      // The query's own fault or not: it may be tried again, and is not free.
      log({ level: 'error', requestId: call.id, message: 'the reader ended twice over one query' });
      return { result: { errors: [overloaded()] }, rowsRead: cost };
    }
    for (const entry of answer.log) log(entry);
    return { result: unpack(answer, prepared.source), rowsRead: answer.rows };
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

    const { result, rowsRead } = await execute(weighed, call);
    metrics.graphqlRows(rowsRead);
    const timedOut = result.errors?.some(({ extensions }) => extensions['code'] === 'TIMEOUT') ?? false;
    const changes = weighed.operation?.definition.operation === 'mutation';
    const actual = Math.max(1, rowsRead, changes ? requested : 0);
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
    /** Takes what a download costs a stranger, whoever else comes has it for nothing. False where the points are not there. */
    mayDownload: (call: Call, points: number): boolean => !isStranger(call) || meter.take(call, points),
  };
}

export type Graph = ReturnType<typeof createGraph>;
