import type { z } from 'zod';
import type { Store, Stores } from '../../db/index.ts';
import { CodedError } from '../../lib/coded-error.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import type { RegisteredRoots } from '../../runs/roots.ts';
import type { WorkOptions } from '../../runs/stored-run.ts';

/** What a job is given. */
export interface JobWork {
  /** As every measurement takes it. */
  options: Required<WorkOptions>;
  /** Writes only while the job's claim holds. */
  store: Store;
  roots: RegisteredRoots;
  /** Further writes happen only while this does not throw. */
  guard: (check: () => void) => void;
}

/** Keys and names of what a job made or found, for its result fields in the graph. */
export interface JobResult {
  organism?: string;
  baseModel?: string;
  corpus?: string;
  run?: string;
  layer?: string;
  diffVectors?: string[];
  experiments?: string[];
  warnings: string[];
}

/** Whose result it will be, and what else than the spec decides it: the digests of files. */
export interface Prepared {
  organismId: number | null;
  decisive: JsonObject;
}

/** A kind of job. Specs name things of the store, or a folder by a registered root: never a path of this machine. */
export interface JobKind<Spec extends z.ZodType = z.ZodType> {
  name: string;
  /** Raised whenever the same spec means something else. */
  version: number;
  spec: Spec;
  /** @throws JobInputError for what is not there */
  prepare(store: Stores, spec: z.output<Spec>, roots: RegisteredRoots): Prepared;
  run(work: JobWork, spec: z.output<Spec>): Promise<JobResult>;
}

export const defineKind = <Spec extends z.ZodType>(kind: JobKind<Spec>): JobKind<Spec> => kind;

/** A spec that cannot be: `field` is the way to the member that is wrong. */
export class JobInputError extends CodedError {
  declare readonly code: 'NOT_FOUND' | 'INVALID';
  readonly field: readonly string[];

  constructor(
    code: 'NOT_FOUND' | 'INVALID' | 'FORBIDDEN' | 'CONFLICT',
    field: readonly string[],
    message: string,
  ) {
    super(code, message);
    this.field = field;
  }
}
