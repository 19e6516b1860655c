import { graphql, type ExecutionResult } from 'graphql';
import { graphContext, schema } from '../../schema/index.ts';
import type { Store } from '../../src/db/index.ts';

/** What came back: tests say by their expectations what is in it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Answer = Record<string, any>;

/** Executes a query on this store, as the server does but without HTTP. */
export const execute = (
  store: Store,
  source: string,
  variableValues: Record<string, unknown> = {},
): Promise<ExecutionResult<Answer>> =>
  graphql({
    schema,
    source,
    variableValues,
    contextValue: graphContext(store, 'http://127.0.0.1:4000'),
  }) as never;

/** The data of a query that must not fail. */
export async function ask(store: Store, source: string, variables?: Record<string, unknown>) {
  const { data, errors } = await execute(store, source, variables);
  if (errors || !data) throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no data');
  return JSON.parse(JSON.stringify(data)) as Answer;
}

/** The code of the one error of a query that must fail. */
export async function errorCode(
  store: Store,
  source: string,
  variables?: Record<string, unknown>,
): Promise<unknown> {
  const { errors } = await execute(store, source, variables);
  if (errors?.length !== 1) throw new Error(`${errors?.length ?? 0} errors`);
  return errors[0]?.extensions['code'];
}
