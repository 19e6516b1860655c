import { setTimeout as sleep } from 'node:timers/promises';
import { type Claim, FenceLostError, type JobLimits, type JobRow, type Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { explainError } from '../lib/explain-error.ts';
import type { RegisteredRoots } from '../runs/roots.ts';
import { guardedStore } from './guarded-store.ts';
import { JobInputError, jobKinds, type JobResult } from './kinds/index.ts';
import type { JobQueue } from './queue.ts';
import { withoutPaths } from './without-paths.ts';

export interface EngineOptions {
  store: Store;
  queue: JobQueue;
  roots: RegisteredRoots;
  /** Names this engine in its claims. */
  owner: string;
  limits: JobLimits;
  threads?: number | undefined;
  pollMs: number;
  /** Without work for so long, `work` ends. */
  idleMs: number;
  /** Stops taking jobs, and gives back the one under way. */
  stop: AbortSignal;
  /** Told now and then that the engine lives, with a number that grows as the work does, and whether this phase counts at all. */
  onBeat: (beat: { moved: number; counts: boolean }) => void;
  log: (line: string) => void;
}

/** How often the claim is looked at: a cancelled job ends within this and a fraction of a layer. */
const beatMs = 250;
/** Progress is stored at most so often, and when it is worth a percent. */
const progressMs = 250;

const cancelReason = new Error('cancelled');
const lostReason = new Error('the claim has ended');
const stopReason = new Error('the engine is stopping');

/** Takes jobs, one after the other, until it is stopped or has been idle for long. What the store itself refuses is thrown. */
export async function work(options: EngineOptions): Promise<void> {
  const { queue, owner, limits, stop, pollMs, idleMs, onBeat } = options;
  let idleSince = performance.now();
  while (!stop.aborted) {
    const job = await queue.claim(owner, limits);
    if (job) {
      await perform(job, options);
      idleSince = performance.now();
      continue;
    }
    if (performance.now() - idleSince > idleMs) return;
    onBeat({ moved: 0, counts: false });
    await sleep(pollMs, undefined, { signal: stop }).catch(() => undefined);
  }
}

async function perform(job: JobRow, options: EngineOptions): Promise<void> {
  const { store, queue, roots, threads, limits, stop, onBeat, log } = options;
  const claim: Claim = { key: job.key, fence: job.fence };
  const controller = new AbortController();
  const onStop = () => controller.abort(stopReason);
  stop.addEventListener('abort', onStop, { once: true });
  if (stop.aborted) onStop();

  const checks: (() => void)[] = [() => void queue.demand(claim)];
  const progress = progressWriter(queue, claim);
  let renewed = performance.now();
  const beat = setInterval(
    () => {
      onBeat(progress.moved());
      try {
        const { cancelRequested } = store.jobs.demand(claim);
        if (cancelRequested) controller.abort(cancelReason);
        if (performance.now() - renewed < limits.leaseMs / 3) return;
        store.jobs.renew(claim, limits);
        renewed = performance.now();
      } catch (error) {
        if (!(error instanceof FenceLostError))
          log(String(error)); // the store is busy: the next beat tries again
        else controller.abort(lostReason);
      }
    },
    Math.min(beatMs, limits.leaseMs / 6),
  );

  try {
    const kind = jobKinds.get(job.kind);
    if (!kind)
      throw new JobInputError('NOT_FOUND', ['kind'], `this version has no jobs of kind "${job.kind}"`);
    const result = await kind.run(
      {
        store: guardedStore(storeFor(store, job), () => checks.forEach((check) => check())),
        guard: (check) => checks.push(check),
        roots,
        options: {
          threads,
          signal: controller.signal,
          onPhase: progress.phase,
          onProgress: progress.progress,
        },
      },
      kind.spec.parse(job.spec),
    );
    await queue.complete(claim, { ...result } as JsonObject, organismOf(store, result));
  } catch (error) {
    await settle(error, claim, controller.signal, options);
  } finally {
    clearInterval(beat);
    stop.removeEventListener('abort', onStop);
  }
}

/** The store as who asked for the job sees it: what is made is theirs, and what they do not see is not there. */
const storeFor = (store: Store, job: JobRow): Store => ({ ...store, ...store.as(store.viewerOf(job)) });

const organismOf = (store: Store, { organism }: JobResult): number | undefined =>
  organism === undefined ? undefined : store.organisms.find(organism)?.id;

async function settle(
  error: unknown,
  claim: Claim,
  signal: AbortSignal,
  { queue, limits, log }: EngineOptions,
): Promise<void> {
  if (isFatal(error)) throw error;
  try {
    if (error instanceof FenceLostError || signal.reason === lostReason)
      log(`job ${claim.key}: ${lostReason.message}`);
    else if (signal.reason === stopReason) await queue.giveBack(claim);
    else if (signal.reason === cancelReason) await queue.endCancelled(claim);
    else await queue.fail(claim, failureOf(error, log), limits);
  } catch (again) {
    if (!(again instanceof FenceLostError)) throw again;
    log(again.message);
  }
}

/** The store itself is out of order, or the GPU is lost to this process: it ends, and its supervisor starts another. */
const isFatal = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (/^(SQLITE_|STORE_)/.test(String(error.code)) || isDeviceLost(error));

export const isDeviceLost = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'DEVICE_LOST';

/** Another attempt may find more memory, and may pass what nobody foresaw. */
const worthAnother = new Set(['OUT_OF_MEMORY']);

function failureOf(error: unknown, log: (line: string) => void) {
  if (error instanceof CodedError) {
    const { code, message } = error;
    return { code, message: withoutPaths(message), retry: worthAnother.has(code) };
  }
  log(explainError(error));
  return {
    code: 'INTERNAL',
    message: 'Something went wrong on our side; the log has the details.',
    retry: true,
  };
}

/** Writes phases and progress as events, and counts what moves. */
function progressWriter(queue: JobQueue, claim: Claim) {
  let phase = 'start';
  let moved = 0;
  let counts = false;
  let told = { at: -Infinity, share: -1 };
  const write = (done: number | null, total: number | null): void => {
    try {
      void queue.progress(claim, { phase, done, total });
    } catch (error) {
      if (!(error instanceof FenceLostError)) throw error; // the beat will notice, too
    }
  };
  return {
    moved: () => ({ moved, counts }),
    phase: (next: string): void => {
      phase = next;
      moved += 1;
      counts = false;
      told = { at: performance.now(), share: -1 };
      write(null, null);
    },
    progress: ({ done, total }: { done: number; total: number }): void => {
      moved += 1;
      counts = true;
      const share = total > 0 ? Math.floor((100 * done) / total) : 0;
      const now = performance.now();
      if (share === told.share || (now - told.at < progressMs && done < total)) return;
      told = { at: now, share };
      write(done, total);
    },
  };
}
