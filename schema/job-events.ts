import type { JobEventRow, Stores } from '../src/db/index.ts';
import { follow, type Listener } from './follow.ts';
import { eventBatch } from './limits.ts';

/** What happens to a job, after an event of this number, until it has ended and all is told. */
export const jobEvents = (
  store: Stores,
  key: string,
  after: number,
  listener: Listener,
): AsyncGenerator<JobEventRow, void, undefined> =>
  follow(
    after,
    (last) => {
      const job = store.jobs.findByKey(key); // before the events: none can come after an end
      return job && { ended: job.finishedAt !== null, rows: store.jobs.events(job, last, eventBatch) };
    },
    listener,
  );
