import {
  execute as interpret,
  getVariableValues,
  OperationTypeNode,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
} from 'graphql';
import type { GraphContext } from '../../../schema/index.ts';
import { badUserInput, costLimitExceeded } from '../../../schema/errors.ts';
import { maxErrors, maxListLength, maxPayloadCost } from '../../../schema/limits.ts';
import type { Documents, Operation, Prepared } from './documents.ts';

export interface Request {
  prepared: Prepared;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
  context: GraphContext;
}

/** A request whose variables were coerced and whose cost is known: what can be decided on before anything is executed. */
export interface Weighed {
  request: Request;
  /** Undefined where the document does not have the one that is asked for. */
  operation?: Operation | undefined;
  /** Its variables, defaults filled in. */
  coerced: Record<string, unknown>;
  /** The most that it can cost, in points; 0 where it is refused. */
  cost: number;
  /** Why it is not executed, where it is not. */
  errors?: readonly GraphQLError[];
}

/** Looks at a request with a document that was judged good. */
export function weigh(schema: GraphQLSchema, documents: Documents, request: Request): Weighed {
  const { prepared, operationName, variables, context } = request;
  const operation = documents.operation(prepared, operationName);
  if (!operation) return { request, coerced: {}, cost: 0 };
  const { variableDefinitions = [] } = operation.definition;
  if (variableDefinitions.length > 0 && hasLongList(variables))
    return { request, operation, coerced: {}, cost: 0, errors: [longList()] };
  const { coerced = {}, errors } =
    variableDefinitions.length > 0
      ? getVariableValues(schema, variableDefinitions, variables ?? {}, { maxErrors })
      : {};
  if (errors) return { request, operation, coerced, cost: 0, errors };
  const cost = documents.costOf(prepared, operation, coerced);
  const changes = operation.definition.operation === OperationTypeNode.MUTATION;
  const limit = changes ? Math.min(maxPayloadCost, context.costLimit) : context.costLimit;
  return cost > limit
    ? { request, operation, coerced, cost, errors: [costLimitExceeded(cost, limit)] }
    : { request, operation, coerced, cost };
}

/**
 * Executes what was weighed. Queries seen before run as compiled functions. graphql-js is the judge: it executes mutations, and
 * whatever fails as a function is executed again by it, so that no error depends on which of the two ran; what has failed is not
 * tried as a function the next time. Rows read twice are counted twice in `rowsRead`; against the limit counts what is answered.
 */
export function executeWeighed(
  schema: GraphQLSchema,
  documents: Documents,
  { request: { prepared, operationName, variables, context }, operation, coerced, errors }: Weighed,
): Executed | Promise<Executed> {
  const { document } = prepared;
  if (!document) throw new Error('a document that was not parsed cannot be executed');
  if (errors) return { result: { errors }, rowsRead: 0 };
  const rowsRead = ({ costLimit, rowsLeft }: GraphContext): number => costLimit - rowsLeft;
  const interpreted = (rowsBefore: number): Executed | Promise<Executed> => {
    const ended = (result: ExecutionResult): Executed => {
      if (operation && context.here?.moved !== true) operation.failed = result.errors !== undefined;
      return { result, rowsRead: rowsBefore + rowsRead(context) };
    };
    const executed = interpret({
      schema,
      document,
      contextValue: context,
      variableValues: variables,
      operationName,
    }) as ExecutionResult | Promise<ExecutionResult>;
    return executed instanceof Promise ? executed.then(ended) : ended(executed);
  };

  if (operation?.definition.operation !== OperationTypeNode.QUERY) return interpreted(0);
  // All that a query is told, rows and counts, is of one moment.
  return context.store.snapshot(() => {
    const compiled = documents.compiled(prepared, operation);
    if (!compiled) return interpreted(0);
    const spending = { ...context };
    const judge = (result: ExecutionResult) => {
      if (result.errors && context.here?.moved !== true) return interpreted(rowsRead(spending));
      Object.assign(context, spending);
      return { result, rowsRead: rowsRead(spending) };
    };
    const result = compiled(undefined, spending, coerced) as ExecutionResult | Promise<ExecutionResult>;
    return result instanceof Promise ? result.then(judge) : judge(result);
  });
}

/** A result and the rows that were read for it. */
export interface Executed {
  result: ExecutionResult;
  rowsRead: number;
}

/** Whether a list is longer than any that we take. */
const hasLongList = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > maxListLength || value.some(hasLongList)
    : typeof value === 'object' && value !== null && Object.values(value).some(hasLongList);

const longList = () => badUserInput(`A list in variables has at most ${maxListLength} members.`);

/** Weighs a request and executes it; at once, where nothing in it waits. */
export function execute(
  schema: GraphQLSchema,
  documents: Documents,
  request: Request,
): ExecutionResult | Promise<ExecutionResult> {
  const executed = executeWeighed(schema, documents, weigh(schema, documents, request));
  return executed instanceof Promise ? executed.then(({ result }) => result) : executed.result;
}
