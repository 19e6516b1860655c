import { GraphQLError, type ExecutionResult } from 'graphql';
import { randomUUID } from 'node:crypto';
import { StoreError } from '../../db/index.ts';
import { explainError } from '../../lib/explain-error.ts';
import type { Log } from '../log.ts';

/**
 * Errors written for clients pass. Anything else is our failure: the client gets an id, the log gets the rest under that id.
 * @see https://the-guild.dev/graphql/yoga-server/docs/features/error-masking
 */
export const maskError =
  (log: Log, requestId?: string) =>
  (error: unknown): GraphQLError => {
    const cause = error instanceof GraphQLError ? error.originalError : error;
    if (error instanceof GraphQLError && (cause === undefined || cause instanceof GraphQLError)) return error;
    const id = requestId ?? randomUUID();
    log({ level: 'error', requestId: id, message: explainError(cause) });
    const [message, code] =
      cause instanceof StoreError && cause.code === 'STORE_CORRUPT'
        ? ['These numbers are damaged in the store; restore it from a copy.', cause.code]
        : ['Something went wrong on our side; the log has the details under this requestId.', 'INTERNAL'];
    const { nodes = null, path = null } = error instanceof GraphQLError ? error : {};
    return new GraphQLError(message, { nodes, path, extensions: { code, requestId: id } });
  };

/** A result as clients may see it: every error with a code, none with what is ours alone. */
export function maskResult(result: ExecutionResult, log: Log, requestId: string): ExecutionResult {
  if (!result.errors) return result;
  const mask = maskError(log, requestId);
  const errors = result.errors.map((error) => {
    const masked = mask(error);
    // What graphql-js itself refuses, such as a variable of the wrong type, is the request's fault.
    masked.extensions['code'] ??= 'BAD_USER_INPUT';
    if (result.data === undefined) masked.extensions['http'] ??= { spec: true, status: 400 };
    return masked;
  });
  return { ...result, errors };
}
