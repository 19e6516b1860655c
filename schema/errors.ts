import { GraphQLError } from 'graphql';
import type { ErrorCode } from './error-codes.ts';
import { maxBase64BytesPerAnswer, maxPayloadCost } from './limits.ts';

/** An error for clients. */
const coded = (code: ErrorCode, message: string, more: Record<string, unknown> = {}): GraphQLError =>
  new GraphQLError(message, { extensions: { code, ...more } });

/** The request asks for something that cannot be; the message says what would be right. */
export const badUserInput = (message: string): GraphQLError => coded('BAD_USER_INPUT', message);

export const invalidCursor = (): GraphQLError =>
  coded(
    'INVALID_CURSOR',
    'This cursor is not one of this list; use endCursor or startCursor of the same field and arguments.',
  );

/** Found out before anything was executed. */
export const costLimitExceeded = (requested: number, limit: number): GraphQLError =>
  coded(
    'COST_LIMIT_EXCEEDED',
    `This query may cost ${requested} points and the most is ${limit}; say a smaller first in inner lists, and ask for the rest by pages.`,
    { requested, limit },
  );

/** Found out while rows were read. */
export const costLimitReached = (limit: number): GraphQLError =>
  coded(
    'COST_LIMIT_EXCEEDED',
    `One request reads at most ${limit} rows (a text or a vector is one per 4 KiB); ask for fewer, or for the rest by pages.`,
    { limit },
  );

export const timeout = (): GraphQLError =>
  coded('TIMEOUT', 'This request took longer than it may; ask for less at once.');

/** Whoever changes something is answered where everybody waits. */
export const payloadTooDear = (): GraphQLError =>
  coded(
    'COST_LIMIT_EXCEEDED',
    `What a mutation answers may cost ${maxPayloadCost} points, and its lists may not go through many rows that they do not show. The change is made; ask for the rest by a query.`,
    { limit: maxPayloadCost },
  );

export const overloaded = (): GraphQLError =>
  coded('OVERLOADED', 'Too many dear queries wait already; try again, or ask for less at once.');

export const unauthenticated = (): GraphQLError =>
  coded('UNAUTHENTICATED', 'The token of this request has ended.');

export const vectorTooLarge = (url: string): GraphQLError =>
  coded(
    'VECTOR_TOO_LARGE_FOR_GRAPHQL',
    `dataBase64 of one answer carries at most ${maxBase64BytesPerAnswer} bytes; fetch this vector from ${url}`,
    { url },
  );

/** The server only reads its store. */
export const readOnly = (): GraphQLError =>
  coded('READ_ONLY', 'This server only reads: nothing can be changed and no job started here.');

/** The client has spent what it may; Retry-After says when to come again. */
export const rateLimited = (): GraphQLError =>
  coded('RATE_LIMITED', 'You have used up your points for now; try again after Retry-After seconds.');

/** One client listens to as many streams as it may. */
export const tooManyStreams = (most: number): GraphQLError =>
  coded('RATE_LIMITED', `A client listens to at most ${most} jobs at a time; end one first.`);
