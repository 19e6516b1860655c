import { GraphQLError } from 'graphql';
import type { GraphContext } from './builder.ts';
import { costLimitReached, timeout } from './errors.ts';
import { bytesPerPoint } from './limits.ts';

/** What is read beside rows costs as many as its bytes fill, and one at least. */
export const rowsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / bytesPerPoint));

/** Takes rows from those that the request may still read, while there is time. @throws COST_LIMIT_EXCEEDED, TIMEOUT */
export function spend(context: GraphContext, rows: number): void {
  context.rowsLeft -= rows;
  if (context.rowsLeft < 0) throw costLimitReached(context.costLimit);
  checkTime(context);
}

/**
 * Asks before a list goes through so many rows that it does not show.
 * @throws what nobody is shown: `context.search` says that the query is to be answered where it holds up nobody
 */
export function search({ search }: GraphContext, rows: () => number): void {
  if (search === null) return;
  search.rowsLeft -= rows();
  if (search.rowsLeft >= 0) return;
  search.tooLong = true;
  throw new GraphQLError('This query goes through more rows than are gone through here.');
}

/** @throws TIMEOUT */
export function checkTime({ deadline }: GraphContext): void {
  if (performance.now() > deadline) throw timeout();
}
