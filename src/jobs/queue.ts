import type { Claim, JobLimits, JobProgress, JobRow, NewJob } from '../db/index.ts';
import type { JsonObject } from '../lib/canonical-json.ts';

type Awaitable<T> = T | Promise<T>;

/**
 * What engines and their supervisor need of a queue; `store.jobs` is one, in the store's own file (docs/decisions/010). Jobs are
 * small specs and results are saved under keys that follow from what was asked, so a job that is done twice has one result. Every
 * call with a claim throws FenceLostError once the claim has ended.
 */
export interface JobQueue {
  /** The same identity is the same job. */
  add(job: NewJob): Awaitable<JobRow>;
  claim(owner: string, limits?: JobLimits): Awaitable<JobRow | undefined>;
  renew(claim: Claim, limits?: JobLimits): Awaitable<void>;
  demand(claim: Claim): Awaitable<JobRow>;
  progress(claim: Claim, progress: JobProgress): Awaitable<void>;
  complete(claim: Claim, result: JsonObject, organismId?: number): Awaitable<JobRow>;
  fail(
    claim: Claim,
    error: { code: string; message: string; retry: boolean },
    limits?: JobLimits,
  ): Awaitable<JobRow>;
  endCancelled(claim: Claim): Awaitable<JobRow>;
  giveBack(claim: Claim): Awaitable<JobRow>;
  abandon(
    owner: string,
    how: 'crashed' | 'hung' | 'stopped',
    said: string,
    limits?: JobLimits,
  ): Awaitable<JobRow[]>;
  cancel(key: string): Awaitable<JobRow>;
  anyToClaim(): Awaitable<boolean>;
}
