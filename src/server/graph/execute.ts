import {
  execute as interpret,
  getVariableValues,
  OperationTypeNode,
  type ExecutionResult,
  type GraphQLSchema,
} from 'graphql';
import type { GraphContext } from '../../../schema/index.ts';
import type { Documents, Prepared } from './documents.ts';

export interface Request {
  prepared: Prepared;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
  context: GraphContext;
}

/**
 * Executes a document that was judged good. Queries seen before run as compiled functions. graphql-js is the judge: it coerces
 * the variables, executes mutations, and whatever fails as a function is executed again by it, so that no error depends on which
 * of the two ran. The function spends from a copy of the context, which counts where it succeeds.
 */
export function execute(
  schema: GraphQLSchema,
  documents: Documents,
  { prepared, operationName, variables, context }: Request,
): ExecutionResult | Promise<ExecutionResult> {
  const { document } = prepared;
  if (!document) throw new Error('a document that was not parsed cannot be executed');
  const byInterpreter = () =>
    interpret({
      schema,
      document,
      contextValue: context,
      variableValues: variables,
      operationName,
    }) as ExecutionResult | Promise<ExecutionResult>;

  const operation = documents.operation(prepared, operationName);
  if (operation?.definition.operation !== OperationTypeNode.QUERY) return byInterpreter();
  // All that a query is told, rows and counts, is of one moment.
  return context.store.snapshot(() => {
    const compiled = documents.compiled(prepared, operation);
    if (!compiled) return byInterpreter();
    const values = getVariableValues(schema, operation.definition.variableDefinitions ?? [], variables ?? {});
    if (values.errors) return byInterpreter();
    const spending = { ...context };
    const judge = (result: ExecutionResult) => {
      if (result.errors) return byInterpreter();
      Object.assign(context, spending);
      return result;
    };
    const result = compiled(undefined, spending, values.coerced) as
      ExecutionResult | Promise<ExecutionResult>;
    return result instanceof Promise ? result.then(judge) : judge(result);
  });
}
