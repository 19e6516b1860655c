export { addon } from './addon.ts';
export type { ComputeOptions, Progress } from './compute.ts';
export { type Certificate, diff, type DiffOptions, type DiffResult } from './diff.ts';
export { NativeError, type NativeErrorCode } from './errors.ts';
export {
  type LensReading,
  Model,
  type ModelSpec,
  type OpenOptions,
  type Token,
  type Vectors,
} from './model.ts';
export { otherBaseWarning } from './other-base.ts';
export type { Tokens } from './tokens.ts';
