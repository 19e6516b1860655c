import { GraphQLError } from 'graphql';
import type { GraphContext, WorkHere } from './builder.ts';
import { costLimitReached, payloadTooDear, timeout } from './errors.ts';
import { bytesPerPoint } from './limits.ts';

/** What is read beside rows costs as many as its bytes fill, and one at least. */
export const rowsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / bytesPerPoint));

/**
 * Takes rows from those that the request may still read, while there is time.
 * @throws COST_LIMIT_EXCEEDED, TIMEOUT; what `search` throws
 */
export function spend(context: GraphContext, rows: number): void {
  context.rowsLeft -= rows;
  if (context.rowsLeft < 0) throw costLimitReached(context.costLimit);
  const { here } = context;
  if (here && (here.pointsLeft -= rows) < 0) leave(here);
  checkTime(context);
}

/**
 * Asks before a list goes through so many rows that it does not show.
 * @throws COST_LIMIT_EXCEEDED for what cannot be done elsewhere; else what nobody is shown: `here.moved` says so
 */
export function search({ here }: GraphContext, rows: () => number): void {
  if (here && (here.rowsLeft -= rows()) < 0) leave(here);
}

function leave(here: WorkHere): never {
  if (!here.movable) throw payloadTooDear();
  here.moved = true;
  throw new GraphQLError('This query is answered elsewhere.');
}

/** @throws TIMEOUT */
export function checkTime({ deadline }: GraphContext): void {
  if (performance.now() > deadline) throw timeout();
}
