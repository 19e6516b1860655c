import { GraphQLError, type ExecutionResult } from 'graphql';
import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '../../../schema/error-codes.ts';
import { StoreError } from '../../db/index.ts';
import { explainError } from '../../lib/explain-error.ts';
import type { Log } from '../log.ts';

/**
 * Errors written for clients pass. Anything else is our failure: the client gets the id of the request, the log gets the rest
 * under that id, in a line for all that failed in the request.
 * @see https://the-guild.dev/graphql/yoga-server/docs/features/error-masking
 */
export function masker(log: Log, requestId: string) {
  const causes = new Set<string>();
  return {
    mask(error: unknown): GraphQLError {
      const cause = error instanceof GraphQLError ? error.originalError : error;
      if (error instanceof GraphQLError && (cause === undefined || cause instanceof GraphQLError))
        return error;
      causes.add(explainError(cause));
      const [code, message] = shownOf(cause);
      const { nodes = null, path = null } = error instanceof GraphQLError ? error : {};
      return new GraphQLError(message, { nodes, path, extensions: { code, requestId } });
    },
    /** Writes the line, where there is something to write. */
    report(): void {
      if (causes.size > 0) log({ level: 'error', requestId, message: [...causes].join('; ') });
    },
  };
}

function shownOf(cause: unknown): [ErrorCode, string] {
  const { code = '' } = cause as { code?: unknown };
  if (cause instanceof StoreError && code === 'STORE_CORRUPT')
    return ['STORE_CORRUPT', 'These numbers are damaged in the store; restore it from a copy.'];
  if (String(code).startsWith('SQLITE_FULL'))
    return ['STORAGE_FULL', 'The disk of the store is full; nothing was changed.'];
  if (String(code).startsWith('SQLITE_BUSY'))
    return ['OVERLOADED', 'Something else is writing to the store; nothing was changed, try again.'];
  if (code === 'ENGINE_UNAVAILABLE')
    return ['ENGINE_UNAVAILABLE', 'The native code that this needs does not load on the server.'];
  return ['INTERNAL', 'Something went wrong on our side; the log has the details under this requestId.'];
}

/** For what yoga itself reports, outside of an answer of ours. */
export const maskError =
  (log: Log) =>
  (error: unknown): GraphQLError => {
    const { mask, report } = masker(log, randomUUID());
    const masked = mask(error);
    report();
    return masked;
  };

/** A result without what is ours alone. What graphql-js itself refuses, such as a variable of the wrong type, is the request's fault. */
export function maskResult(result: ExecutionResult, log: Log, requestId: string): ExecutionResult {
  if (!result.errors) return result;
  const { mask, report } = masker(log, requestId);
  const errors = result.errors.map((error) => {
    const masked = mask(error);
    masked.extensions['code'] ??= 'BAD_USER_INPUT';
    return masked;
  });
  report();
  return { ...result, errors };
}
