import type { JsonObject } from '../../lib/canonical-json.ts';
import type { Phase } from '../phase.ts';

/** Something that turns texts into vectors, to see how alike they are. Vectors of two encoders are never compared. */
export interface TextEncoder {
  /** For people. */
  name: string;
  /** SHA-256, in hex, of all that the encoder is. */
  digest: string;
  /** Whatever else decides its vectors. */
  parameters: JsonObject;
  open(signal: AbortSignal | undefined): Promise<OpenEncoder>;
}

export interface OpenEncoder {
  /**
   * Vectors of the first texts of a corpus that it can use, so many at most, each of length 1; and the SHA-256 of the file.
   * @throws CorpusError
   */
  ofCorpus(
    corpus: { file: string; textColumn: string },
    most: number,
    onPhase?: (phase: Phase) => void,
  ): Promise<{ vectors: readonly ArrayLike<number>[]; corpusDigest: string }>;
  /** Vectors of length 1 of those texts, none blank, that it can use. */
  ofTexts(texts: readonly string[]): Promise<readonly ArrayLike<number>[]>;
  close(): void;
}
