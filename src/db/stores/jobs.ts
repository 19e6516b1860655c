import { bootTime } from '../../lib/boot-clock.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { NotFoundError } from '../errors.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder, inserter, rowReader, selectList, updater } from '../table-sql.ts';
import { jobEvents } from '../tables/job-events.ts';
import { jobs, type JobState } from '../tables/jobs.ts';
import { bindings, visibleJob, type Viewer } from '../visible.ts';
import { CodedError } from '../../lib/coded-error.ts';
import type { Connection } from '../connection.ts';

export type JobRow = typeof jobs.$inferSelect;
export type JobEventRow = typeof jobEvents.$inferSelect;

export interface JobFilters {
  states?: readonly JobState[] | null | undefined;
  kinds?: readonly string[] | null | undefined;
}

export interface NewJob {
  kind: string;
  spec: JsonObject;
  /** SHA-256, in hex, of all that decides the result. */
  identity: string;
  organismId: number | null;
  /** Higher ones are claimed first; 0 by default. */
  priority?: number | undefined;
}

/** The right to work on a job, and to write its results, until the lease runs out or the job ends. */
export interface Claim {
  key: string;
  fence: number;
}

export interface JobProgress {
  phase: string;
  done: number | null;
  total: number | null;
}

export interface JobLimits {
  /** Claims that may end in an error which another attempt could avoid. */
  attempts: number;
  /** Claims whose lease ran out, or whose engine hung. */
  stalls: number;
  /** Engines that may die of the same job. */
  crashes: number;
  /** How long a claim lasts without being renewed. */
  leaseMs: number;
  /** Wait before the second attempt; doubles with each, half of it at random. */
  backoffMs: number;
}

export const jobLimits: JobLimits = {
  attempts: 3,
  stalls: 2,
  crashes: 5,
  leaseMs: 30_000,
  backoffMs: 500,
};

const longestBackoffMs = 30_000;

/** The code of a job that no engine survives; it is not started again. */
export const poisonCode = 'ENGINE_CRASHED';

/** Somebody else has the job by now, or it has ended: what was computed for it must not be written. */
export class FenceLostError extends CodedError {
  constructor({ key, fence }: Claim) {
    super('FENCE_LOST', `claim ${fence} of job ${key} has ended; its result is discarded`);
  }
}

const fresh = {
  state: 'QUEUED',
  attempts: 0,
  stalls: 0,
  owner: null,
  leaseUntil: 0,
  availableAt: 0,
  cancelRequested: false,
  phase: null,
  done: null,
  total: null,
  errorCode: null,
  errorMessage: null,
  result: null,
  startedAt: null,
  finishedAt: null,
} as const;

export function jobStore(sqlite: Connection, viewer: Viewer) {
  const sees = visibleJob(viewer);
  const findByKey = finder(sqlite, jobs, `key = ? and ${sees}`, bindings(viewer));
  // everybody’s: the queue itself, for engines and for whoever asks for a job that is there; `add` shows none that is hidden.
  const byKey = finder(sqlite, jobs, 'key = ?');
  const byIdentity = finder(sqlite, jobs, 'identity = ?');
  const held = finder(sqlite, jobs, `key = ? and fence = ? and state = 'RUNNING'`);
  const insert = inserter(sqlite, jobs);
  const update = updater(sqlite, jobs);
  const read = rowReader(jobs);
  const readEvent = rowReader(jobEvents);

  const insertEvent = sqlite.prepare(
    `insert into job_events (job_id, number, state, phase, done, total, message, created_at)
     values (@jobId, (select coalesce(max(number), 0) + 1 from job_events where job_id = @jobId),
             @state, @phase, @done, @total, @message, @createdAt)`,
  );
  const eventsAfter = sqlite.prepare(
    `select ${selectList(jobEvents)} from job_events where job_id = ? and number > ? order by number limit ?`,
  );
  const lastEvent = sqlite.pluck('select coalesce(max(number), 0) from job_events where job_id = ?');

  const waiting = `state = 'QUEUED' and (available_at <= @now or boot <> @boot)`;
  const expired = `state = 'RUNNING' and (lease_until <= @now or boot <> @boot)`;
  // everybody’s: engines do the work of all.
  const anyToClaim = sqlite.prepare(`select 1 from jobs where (${waiting}) or (${expired}) limit 1`);
  const allExpired = sqlite.prepare(`select ${selectList(jobs)} from jobs where ${expired}`);
  // everybody’s: engines do the work of all.
  const allOwned = sqlite.prepare(
    `select ${selectList(jobs)} from jobs where state = 'RUNNING' and owner = ?`,
  );
  // everybody’s: for the end of a token.
  const ofToken = sqlite.prepare(
    `select ${selectList(jobs)} from jobs where token_id = ? and state in ('QUEUED', 'RUNNING')`,
  );
  // everybody’s: engines do the work of all.
  const claimNext = sqlite.prepare(
    `update jobs set state = 'RUNNING', owner = @owner, fence = fence + 1, attempts = attempts + 1,
       boot = @boot, lease_until = @now + @leaseMs, started_at = @at, phase = null, done = null, total = null
     where id = (select id from jobs where ${waiting} order by priority desc, id limit 1)
     returning ${selectList(jobs)}`,
  );
  // everybody’s: engines do the work of all.
  const extend = sqlite.prepare(
    `update jobs set lease_until = @until, boot = @boot where key = @key and fence = @fence and state = 'RUNNING'`,
  );
  // everybody’s: for metrics.
  const countOf = sqlite.pluck('select count(*) from jobs where state = ?');

  const clock = () => {
    const { boot, ms } = bootTime();
    return { boot, now: ms };
  };
  const at = () => new Date().toISOString();

  /** Writes a change and tells it; every change of state moves the fence, so that an older claim is worth nothing. */
  function change(job: JobRow, fields: Partial<JobRow>, message: string | null = null): JobRow {
    const next = { ...job, ...fields, fence: job.fence + 1 };
    update(job.id, next);
    tell(next, message);
    return next;
  }

  function tell(job: JobRow, message: string | null): void {
    const { state, phase, done, total } = job;
    insertEvent.run({ jobId: job.id, state, phase, done, total, message, createdAt: at() });
  }

  const finish = (
    job: JobRow,
    state: 'COMPLETED' | 'ERROR' | 'CANCELLED',
    fields: Partial<JobRow> = {},
  ): JobRow =>
    change(
      job,
      { state, owner: null, leaseUntil: 0, cancelRequested: false, finishedAt: at(), ...fields },
      fields.errorMessage ?? null,
    );

  const fail = (job: JobRow, errorCode: string, errorMessage: string): JobRow =>
    finish(job, 'ERROR', { errorCode, errorMessage });

  function queueAgain(job: JobRow, fields: Partial<JobRow>, message: string, waitMs = 0): JobRow {
    const { boot, now } = clock();
    if (job.cancelRequested) return finish(job, 'CANCELLED', fields);
    return change(
      job,
      { ...fields, state: 'QUEUED', owner: null, leaseUntil: 0, boot, availableAt: now + waitMs },
      message,
    );
  }

  const backoff = (limits: JobLimits, failures: number): number => {
    const most = Math.min(longestBackoffMs, limits.backoffMs * 2 ** Math.max(0, failures - 1));
    return Math.round(most * (0.5 + 0.5 * Math.random()));
  };

  function stall(job: JobRow, limits: JobLimits, message: string): JobRow {
    const stalls = job.stalls + 1;
    if (!job.cancelRequested && stalls > limits.stalls) {
      return fail(
        { ...job, stalls },
        'JOB_STALLED',
        `given up after ${stalls} claims that ended without a word; last: ${message}`,
      );
    }
    return queueAgain(job, { stalls, attempts: job.attempts - 1 }, message);
  }

  function crash(job: JobRow, limits: JobLimits, said: string): JobRow {
    const crashes = job.crashes + 1;
    if (!job.cancelRequested && crashes >= limits.crashes) {
      return fail(
        { ...job, crashes },
        poisonCode,
        `${crashes} engines died of this job; the last one said: ${said}`,
      );
    }
    return queueAgain(
      job,
      { crashes, attempts: job.attempts - 1 },
      `the engine died: ${said}`,
      backoff(limits, crashes),
    );
  }

  const atomically = <Arguments extends unknown[], Result>(work: (...given: Arguments) => Result) => {
    const transaction = sqlite.transaction(work);
    return (...given: Arguments): Result => transaction.immediate(...given);
  };

  const claim = atomically((owner: string, limits: JobLimits): JobRow | undefined => {
    for (const row of allExpired.all(clock())) stall(read(row), limits, 'its lease ran out');
    const row = claimNext.get({ ...clock(), owner, leaseMs: limits.leaseMs, at: at() });
    if (row === undefined) return undefined;
    const job = read(row);
    tell(job, null);
    return job;
  });

  const demand = (claim: Claim): JobRow => {
    const job = held(claim.key, claim.fence);
    if (!job) throw new FenceLostError(claim);
    return job;
  };

  const get = (key: string): JobRow => {
    const job = findByKey(key);
    if (!job) throw new NotFoundError('job', key);
    return job;
  };

  return {
    findByKey,
    /** @throws NotFoundError */
    get,

    /**
     * Puts a job into the queue. One of this identity is returned as it stands; it is queued anew where it was cancelled or ended
     * in an error, but for a poisonous one. One that this viewer does not see is none of its business.
     * @throws CodedError CONFLICT where it is somebody else's work
     */
    add: atomically(({ kind, spec, identity, organismId, priority = 0 }: NewJob): JobRow => {
      const known = byIdentity(identity);
      if (!known) {
        const key = identity.slice(0, 20);
        insert({
          ...fresh,
          key,
          identity,
          kind,
          spec,
          organismId,
          teamId: viewer.teamId,
          tokenId: viewer.tokenId,
          priority,
          crashes: 0,
          fence: 0,
          boot: clock().boot,
          createdAt: at(),
        });
        const job = byKey(key) as JobRow;
        tell(job, null);
        return job;
      }
      if (!findByKey(known.key))
        throw new CodedError('CONFLICT', 'somebody else here has asked for this; give it another name');
      if (known.state === 'RUNNING' && known.cancelRequested) {
        const wanted = { ...known, cancelRequested: false, tokenId: viewer.tokenId };
        update(known.id, wanted);
        return wanted;
      }
      const again =
        known.state === 'CANCELLED' || (known.state === 'ERROR' && known.errorCode !== poisonCode);
      return again
        ? change(known, { ...fresh, boot: clock().boot, organismId, tokenId: viewer.tokenId, priority })
        : known;
    }),

    /** The next job for an engine, or undefined. Leases that have run out are settled first. */
    claim: (owner: string, limits: JobLimits = jobLimits): JobRow | undefined =>
      // Most of the time there is nothing, and no write is needed to see it.
      anyToClaim.get(clock()) === undefined ? undefined : claim(owner, limits),

    /** Prolongs the lease. @throws FenceLostError */
    renew: atomically((claim: Claim, limits: JobLimits = jobLimits): void => {
      const { boot, now } = clock();
      if (extend.run({ ...claim, boot, until: now + limits.leaseMs }).changes === 0)
        throw new FenceLostError(claim);
    }),

    /** The job of a claim that still holds. In a transaction it holds until the end of it. @throws FenceLostError */
    demand,

    /** @throws FenceLostError */
    progress: atomically((claim: Claim, { phase, done, total }: JobProgress): void => {
      const job = { ...demand(claim), phase, done, total };
      update(job.id, job);
      tell(job, null);
    }),

    /** Ends a job well. @throws FenceLostError */
    complete: atomically((claim: Claim, result: JsonObject, organismId?: number): JobRow => {
      const job = demand(claim);
      return finish(job, 'COMPLETED', { result, organismId: organismId ?? job.organismId });
    }),

    /** Ends an attempt badly: the job with it, unless another attempt may do better. @throws FenceLostError */
    fail: atomically(
      (
        claim: Claim,
        error: { code: string; message: string; retry: boolean },
        limits: JobLimits = jobLimits,
      ): JobRow => {
        const job = demand(claim);
        if (!error.retry || job.attempts >= limits.attempts) return fail(job, error.code, error.message);
        return queueAgain(job, {}, error.message, backoff(limits, job.attempts));
      },
    ),

    /** Ends the attempt of a job whose cancelling was asked for; one that was meanwhile started again is queued. @throws FenceLostError */
    endCancelled: atomically((claim: Claim): JobRow => {
      const job = demand(claim);
      return queueAgain(job, { attempts: job.attempts - 1 }, 'started again');
    }),

    /** An engine that stops gives its job back, which counts as no attempt. @throws FenceLostError */
    giveBack: atomically((claim: Claim): JobRow => {
      const job = demand(claim);
      return queueAgain(job, { attempts: job.attempts - 1 }, 'the engine was stopped');
    }),

    /** Settles what an engine had when it ended: `said` is its last word. */
    abandon: atomically(
      (
        owner: string,
        how: 'crashed' | 'hung' | 'stopped',
        said: string,
        limits: JobLimits = jobLimits,
      ): JobRow[] =>
        allOwned.all(owner).map((row) => {
          const job = read(row);
          if (how === 'crashed') return crash(job, limits, said);
          if (how === 'hung') return stall(job, limits, said);
          return queueAgain(job, { attempts: job.attempts - 1 }, said);
        }),
    ),

    /** Asks for the end of a job: at once where none works on it. One that has ended stays as it is. @throws NotFoundError */
    cancel: atomically((key: string): JobRow => {
      const job = get(key);
      if (job.state === 'QUEUED') return finish(job, 'CANCELLED');
      if (job.state !== 'RUNNING') return job;
      const asked = { ...job, cancelRequested: true };
      update(job.id, asked);
      return asked;
    }),

    /** Events after this number, the oldest first. */
    events: (job: JobRow, after: number, most: number): JobEventRow[] =>
      eventsAfter.all(job.id, after, most).map(readEvent),
    lastEventNumber: (job: JobRow): number => lastEvent.get(job.id) as number,
    /** Jobs that a token asked for and that have not ended. */
    unfinishedOf: (tokenId: number): JobRow[] => ofToken.all(tokenId).map(read),
    count: (state: JobState): number => countOf.get(state) as number,
    /** Whether an engine would find something to do. */
    anyToClaim: (): boolean => anyToClaim.get(clock()) !== undefined,

    all: listing(sqlite, {
      name: 'jobs',
      table: jobs,
      where: `${sees} and ${isOneOf('state', 'states')} and ${isOneOf('kind', 'kinds')}`,
      parameters: (_: null, { states, kinds }: JobFilters) => ({
        states: oneOf(states),
        kinds: oneOf(kinds),
      }),
      viewer,
      order: ['createdAt', 'key'],
      descending: true,
      row: (columns) => columns,
    }),
  };
}
