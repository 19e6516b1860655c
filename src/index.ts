/** The package root: the engine's façade. The store, graph and server are reached through the `deltascope` command. */
export {
  type Certificate,
  type ComputeOptions,
  diff,
  type DiffOptions,
  type DiffResult,
  type LensReading,
  Model,
  type ModelSpec,
  NativeError,
  type NativeErrorCode,
  type OpenOptions,
  type Progress,
  type Token,
  type Tokens,
  type Vectors,
} from './native/index.ts';
export { type Tokenizer, TokenizerError } from './tokenizer/index.ts';
