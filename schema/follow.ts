import { setTimeout as sleep } from 'node:timers/promises';
import type { GraphContext } from './builder.ts';
import { tooManyStreams } from './errors.ts';
import { eventBatch, maxStreamsPerClient, requestTimeoutMs } from './limits.ts';

const pollMs = 150;

/** Who listens, and whether they may still. */
export interface Listener {
  signal?: AbortSignal | undefined;
  isCurrent: () => boolean;
}

/** What came after a row, `eventBatch` rows at most, and whether nothing can come any more. */
export interface Followed<Row> {
  ended: boolean;
  rows: readonly Row[];
}

/**
 * Rows after one of this number as they are stored, until no more can come and all are told. Whoever writes them is another process,
 * so the store is asked; nothing is held open between. It ends, too, when who listens may not any more.
 * @param look what is there after a row; undefined where there is nothing to follow. Whether it has ended is asked before the rows.
 */
export async function* follow<Row extends { number: number }>(
  after: number,
  look: (last: number) => Followed<Row> | undefined,
  { signal, isCurrent }: Listener,
): AsyncGenerator<Row, void, undefined> {
  let last = after;
  for (;;) {
    if (!isCurrent()) return;
    const found = look(last);
    if (!found) return;
    for (const row of found.rows) {
      if (!isCurrent()) return;
      last = row.number;
      yield row;
    }
    if (found.rows.length === eventBatch) continue;
    if (found.ended) return;
    await sleep(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal?.aborted) return;
  }
}

/** Rows for a subscription: each is an answer of its own, and a client listens to so many streams at most. @throws RATE_LIMITED */
export async function* toClient<Row>(
  context: GraphContext,
  rows: AsyncIterable<Row>,
): AsyncGenerator<Row, void, undefined> {
  const leave = context.jobs.streams.enter(context.jobs.client);
  if (!leave) throw tooManyStreams(maxStreamsPerClient);
  try {
    for await (const row of rows) {
      context.rowsLeft = context.costLimit;
      context.deadline = performance.now() + requestTimeoutMs;
      yield row;
    }
  } finally {
    leave();
  }
}
