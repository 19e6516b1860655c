import { setTimeout as sleep } from 'node:timers/promises';
import type { JobEventRow, JobRow, Stores } from '../src/db/index.ts';
import { eventBatch } from './limits.ts';

const pollMs = 150;

/**
 * What happens to a job after an event of this number, until it has ended and all is told. Engines are other processes, so the
 * store is asked; nothing is held open between. It ends, too, when who listens may not any more.
 */
export async function* jobEvents(
  store: Stores,
  key: string,
  after: number,
  { signal, isCurrent }: { signal?: AbortSignal | undefined; isCurrent: () => boolean },
): AsyncGenerator<JobEventRow, void, undefined> {
  let last = after;
  for (;;) {
    if (!isCurrent()) return;
    const job: JobRow | undefined = store.jobs.findByKey(key); // before the events: none can come after an end
    if (!job) return;
    const events = store.jobs.events(job, last, eventBatch);
    for (const event of events) {
      if (!isCurrent()) return;
      last = event.number;
      yield event;
    }
    if (events.length === eventBatch) continue;
    if (job.finishedAt !== null) return;
    await sleep(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal?.aborted) return;
  }
}
