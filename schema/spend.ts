import type { GraphContext } from './builder.ts';
import { costLimitExceeded } from './errors.ts';

/** What is read beside rows costs as many as its bytes fill, and one at least. */
const bytesPerRow = 4096;

export const rowsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / bytesPerRow));

/** Takes rows from those that the request may still read. @throws COST_LIMIT_EXCEEDED */
export function spend(context: GraphContext, rows: number): void {
  context.rowsLeft -= rows;
  if (context.rowsLeft < 0) throw costLimitExceeded();
}
