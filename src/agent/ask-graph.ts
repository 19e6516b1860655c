import { type DocumentNode, execute, GraphQLError, parse } from 'graphql';
import { graphContext, schema } from '../../schema/index.ts';
import type { Stores } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';

/** Asks the graph and gives its data, which the caller says the form of. */
export type AskGraph = <Data>(document: string, variables?: Record<string, unknown>) => Promise<Data>;

/** The graph does not answer that: what was asked for cannot be, and asked again it will not be either. */
export class GraphRefusal extends CodedError {}

const parsed = new Map<string, DocumentNode>();

/**
 * The graph in this process, as the viewer of these stores has it: the resolvers and limits that clients have, without HTTP.
 * @throws GraphRefusal with the code of the graph's error; whatever a store throws that fails
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
    if (!error) return data as Data;
    const { originalError: cause, extensions, message } = error;
    if (cause && !(cause instanceof GraphQLError) && !extensions['code']) throw cause;
    throw new GraphRefusal(String(extensions['code'] ?? 'BAD_USER_INPUT'), message);
  };
}
