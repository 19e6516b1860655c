/** The package root: the engine's façade. The store, graph and server are reached through the `deltascope` command. */
export {
  type Certificate,
  type ComputeOptions,
  diff,
  type DiffOptions,
  type DiffResult,
  type GenerateOptions,
  type Generation,
  type GenerationSettings,
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
export {
  type ChatMessage,
  type Conversation,
  encodeChats,
  type Tokenizer,
  TokenizerError,
} from './tokenizer/index.ts';
