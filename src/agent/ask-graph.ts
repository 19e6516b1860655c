import { type DocumentNode, execute, parse } from 'graphql';
import { graphContext, schema } from '../../schema/index.ts';
import type { Stores } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';

/** Asks the graph and gives its data, which the caller says the form of. */
export type AskGraph = <Data>(document: string, variables?: Record<string, unknown>) => Promise<Data>;

const parsed = new Map<string, DocumentNode>();

/**
 * The graph in this process, as the viewer of these stores has it: the resolvers and limits that clients have, without HTTP.
 * @throws CodedError with the code of the graph's error
 */
export function graphOf(store: Stores): AskGraph {
  return async <Data>(source: string, variables: Record<string, unknown> = {}) => {
    const document = parsed.get(source) ?? parse(source);
    parsed.set(source, document);
    const { data, errors } = await execute({
      schema,
      document,
      variableValues: variables,
      contextValue: graphContext(store, 'http://in.process.invalid'),
    });
    const [error] = errors ?? [];
    if (error?.originalError && !error.extensions['code']) throw error.originalError;
    if (error) throw new CodedError(String(error.extensions['code'] ?? 'GRAPH_FAILED'), error.message);
    return data as Data;
  };
}
