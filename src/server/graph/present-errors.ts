import { GraphQLError } from 'graphql';
import { errorCodes, isRetryable, type ErrorCode } from '../../../schema/error-codes.ts';
import { maxErrorBytes, maxErrors, maxMessageLength } from '../../../schema/limits.ts';

export interface Presentation {
  requestId: string;
  /** Whether messages may say what else the schema has. */
  suggestions: boolean;
  /** Whether `data` stands beside the errors, so that the status is 200. */
  hasData: boolean;
}

/**
 * Errors as clients get them: each with a code of the list, whether to try again and the id of the request, in bounded number and
 * length. `extensions.http` is for whoever writes the answer and is left out there.
 */
export function presentErrors(errors: readonly GraphQLError[], how: Presentation): GraphQLError[] {
  const shown: GraphQLError[] = [];
  let bytes = 0;
  for (const error of errors.slice(0, maxErrors)) {
    const presented = present(error, how);
    bytes += Buffer.byteLength(JSON.stringify(presented));
    if (bytes > maxErrorBytes) break;
    shown.push(presented);
  }
  return shown;
}

function present(error: GraphQLError, { requestId, suggestions, hasData }: Presentation): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = error;
  const { originalError, ...extensions } = error.extensions;
  // Of a body that is no JSON, by yoga: 400 whatever the client accepts.
  if (originalError !== undefined) extensions['http'] = { status: 400 };
  const code = codeOf(extensions);
  return new GraphQLError(messageOf(error, suggestions), {
    nodes,
    source,
    positions,
    path,
    extensions: {
      requestId,
      ...extensions,
      code,
      retryable: isRetryable(code),
      ...(!hasData && { http: extensions['http'] ?? httpOf(code) }),
    },
  });
}

/** What yoga and graphql-js call otherwise, in our words. */
function codeOf({ code, http }: { code?: unknown; http?: unknown }): ErrorCode {
  if ((http as { status?: number } | undefined)?.status === 405) return 'METHOD_NOT_ALLOWED';
  if (typeof code === 'string' && code in errorCodes) return code as ErrorCode;
  return code === 'INTERNAL_SERVER_ERROR' ? 'INTERNAL' : 'BAD_REQUEST';
}

function messageOf({ message }: GraphQLError, suggestions: boolean): string {
  const text = suggestions ? message : message.replace(/ Did you mean .*\?$/s, '');
  return text.length > maxMessageLength ? `${text.slice(0, maxMessageLength).toWellFormed()}…` : text;
}

/** `spec`: who knows only application/json gets 200 for it, as the GraphQL over HTTP draft has it. */
function httpOf(code: ErrorCode): { status: number; spec?: true } {
  const { status } = errorCodes[code];
  return status > 400 ? { status } : { status: 400, spec: true };
}
