let last: Promise<void> = Promise.resolve();

/**
 * Until the event loop has looked after everybody else, and it is this caller's turn: one caller a turn of the loop, in the order in
 * which they asked, so that long works done in pieces take no longer of a turn together than one of them.
 */
export const takeTurn = (): Promise<void> =>
  (last = last.then(() => new Promise((resolve) => setImmediate(resolve))));

/** How long a piece of such a work may take of its turn, in milliseconds. */
export const turnMs = 4;
