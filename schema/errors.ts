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

/** The server only reads its store. */
export const readOnly = (): GraphQLError =>
  new GraphQLError('This server only reads: nothing can be changed and no job started here.', {
    extensions: { code: 'READ_ONLY' },
  });

/** One client listens to as many streams as it may. */
export const tooManyStreams = (most: number): GraphQLError =>
  new GraphQLError(`A client listens to at most ${most} jobs at a time; end one first.`, {
    extensions: { code: 'RATE_LIMITED' },
  });
