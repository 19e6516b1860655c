import { GraphQLError } from 'graphql';
import { maxBase64BytesPerAnswer, maxRows } from './limits.ts';

/** The request asks for something that cannot be; the message says what would be right. */
export const badUserInput = (message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });

export const invalidCursor = (): GraphQLError =>
  new GraphQLError(
    'This cursor is not one of this list; use endCursor or startCursor of the same field and arguments.',
    {
      extensions: { code: 'INVALID_CURSOR' },
    },
  );

export const costLimitExceeded = (): GraphQLError =>
  new GraphQLError(
    `One request reads at most ${maxRows} rows (a text or a vector is one per 4 KiB); ask for fewer, or for the rest by pages.`,
    {
      extensions: { code: 'COST_LIMIT_EXCEEDED' },
    },
  );

export const vectorTooLarge = (url: string): GraphQLError =>
  new GraphQLError(
    `dataBase64 of one answer carries at most ${maxBase64BytesPerAnswer} bytes; fetch this vector from ${url}`,
    {
      extensions: { code: 'VECTOR_TOO_LARGE_FOR_GRAPHQL', url },
    },
  );
