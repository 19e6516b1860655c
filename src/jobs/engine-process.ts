import type { JobLimits } from '../db/index.ts';

/** What a supervisor tells its engine. */
export interface EngineProcessOptions {
  store: string;
  owner: string;
  limits: JobLimits;
  roots: Record<string, string>;
  threads?: number | undefined;
  pollMs: number;
  idleMs: number;
}

/** Exit code of an engine whose store cannot be used: no fault of the job that it had. */
export const storeFailed = 75;

/** Exit code of an engine whose GPU failed in a way that only a new process gets over; its job is tried again by the next. */
export const deviceLost = 76;
