import { getVariableValues, graphql, type ExecutionResult } from 'graphql';
import { graphContext, schema } from '../../schema/index.ts';
import type { Stores } from '../../src/db/index.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { execute as executePrepared, weigh } from '../../src/server/graph/execute.ts';

/** What came back: tests say by their expectations what is in it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Answer = Record<string, any>;

const documents = new Documents(schema, 64 * 2 ** 20);

/**
 * Executes a query on this store, as the server does but without HTTP: by graphql-js, and as a compiled function, which may not
 * show in the answer.
 */
export async function execute(
  store: Stores,
  source: string,
  variables: Record<string, unknown> = {},
): Promise<ExecutionResult<Answer>> {
  const context = () => graphContext(store, 'http://127.0.0.1:4000');
  const prepared = documents.prepare(source);
  if (prepared.errors.length === 0) {
    const { errors } = weigh(schema, documents, { prepared, variables, context: context() });
    if (errors?.some(({ extensions }) => extensions['code'] === 'COST_LIMIT_EXCEEDED')) return { errors };
  }
  const judged = await graphql({ schema, source, variableValues: variables, contextValue: context() });
  const operation = documents.operation(prepared, null);
  if (prepared.errors.length > 0 || operation?.definition.operation !== 'query') return judged as never;

  const same = (answer: unknown) => {
    if (JSON.stringify(answer) !== JSON.stringify(judged))
      throw new Error(
        `the executors differ: ${JSON.stringify(answer)} where graphql-js has ${JSON.stringify(judged)}`,
      );
  };
  for (const _ of ['interpreted', 'compiled'])
    same(await executePrepared(schema, documents, { prepared, variables, context: context() }));
  // The same function once more without graphql-js to fall back on: it must be what answers.
  if (!judged.errors) {
    const { coerced } = getVariableValues(schema, operation.definition.variableDefinitions ?? [], variables);
    same(await operation.compiled?.(undefined, context(), coerced));
  }
  return judged as ExecutionResult<Answer>;
}

/** The data of a query that must not fail. */
export async function ask(store: Stores, source: string, variables?: Record<string, unknown>) {
  const { data, errors } = await execute(store, source, variables);
  if (errors || !data) throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no data');
  return JSON.parse(JSON.stringify(data)) as Answer;
}

/** The code of the one error of a query that must fail. */
export async function errorCode(
  store: Stores,
  source: string,
  variables?: Record<string, unknown>,
): Promise<unknown> {
  const { errors } = await execute(store, source, variables);
  if (errors?.length !== 1) throw new Error(`${errors?.length ?? 0} errors`);
  return errors[0]?.extensions['code'];
}
