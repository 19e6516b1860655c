import type { JsonObject } from '../lib/canonical-json.ts';

/** Embeddings of some texts, in their order; all of it can be stored as JSON. */
export interface EmbeddingReply {
  /** Little-endian float32 in base64, [texts][width]. */
  vectors: string;
  width: number;
  /** The model that answered, as it names itself. */
  model: string;
  /** Null where the server did not count. */
  promptTokens: number | null;
}

/** Someone who turns texts into vectors. Tries once: trying again, waiting and counting are the runner's. */
export interface Embedder {
  /** Words with dashes. */
  readonly name: string;
  /** A base URL without secrets. */
  readonly endpoint: string;
  /** The model that is asked for. */
  readonly model: string;
  /** Numbers of a vector; null leaves it to the server. */
  readonly dimensions: number | null;
  /** The request as it is sent, without the key. */
  body(texts: readonly string[]): JsonObject;
  /** @throws ProviderError; the signal's reason */
  embed(texts: readonly string[], options: { signal?: AbortSignal | undefined }): Promise<EmbeddingReply>;
}
