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
