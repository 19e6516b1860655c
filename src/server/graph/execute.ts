import {
  execute as interpret,
  getVariableValues,
  OperationTypeNode,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
} from 'graphql';
import type { GraphContext } from '../../../schema/index.ts';
import { costLimitExceeded } from '../../../schema/errors.ts';
import { maxErrors } from '../../../schema/limits.ts';
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
  const { coerced = {}, errors } =
    variableDefinitions.length > 0
      ? getVariableValues(schema, variableDefinitions, variables ?? {}, { maxErrors })
      : {};
  if (errors) return { request, operation, coerced, cost: 0, errors };
  const cost = documents.costOf(prepared, operation, coerced);
  return cost > context.costLimit
    ? { request, operation, coerced, cost, errors: [costLimitExceeded(cost, context.costLimit)] }
    : { request, operation, coerced, cost };
}

/**
 * Executes what was weighed. Queries seen before run as compiled functions. graphql-js is the judge: it executes mutations, and
 * whatever fails as a function is executed again by it, so that no error depends on which of the two ran. The function spends from
 * a copy of the context, which counts where it succeeds.
 */
export function executeWeighed(
  schema: GraphQLSchema,
  documents: Documents,
  { request: { prepared, operationName, variables, context }, operation, coerced, errors }: Weighed,
): ExecutionResult | Promise<ExecutionResult> {
  const { document } = prepared;
  if (!document) throw new Error('a document that was not parsed cannot be executed');
  if (errors) return { errors };
  const byInterpreter = () =>
    interpret({
      schema,
      document,
      contextValue: context,
      variableValues: variables,
      operationName,
    }) as ExecutionResult | Promise<ExecutionResult>;

  if (operation?.definition.operation !== OperationTypeNode.QUERY) return byInterpreter();
  // All that a query is told, rows and counts, is of one moment.
  return context.store.snapshot(() => {
    const compiled = documents.compiled(prepared, operation);
    if (!compiled) return byInterpreter();
    const spending = { ...context };
    const judge = (result: ExecutionResult) => {
      if (result.errors) return byInterpreter();
      Object.assign(context, spending);
      return result;
    };
    const result = compiled(undefined, spending, coerced) as ExecutionResult | Promise<ExecutionResult>;
    return result instanceof Promise ? result.then(judge) : judge(result);
  });
}

/** Weighs a request and executes it. */
export const execute = (
  schema: GraphQLSchema,
  documents: Documents,
  request: Request,
): ExecutionResult | Promise<ExecutionResult> =>
  executeWeighed(schema, documents, weigh(schema, documents, request));
