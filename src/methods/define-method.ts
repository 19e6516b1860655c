import type { z } from 'zod';
import type { JsonObject } from '../lib/canonical-json.ts';
import type { Model, Progress } from '../native/index.ts';

/** Which vector of a (layer, position) a projection reads. */
export type Variant = 'DIFF' | 'BASE' | 'FINETUNED';
export type Sign = 'PROMOTED' | 'SUPPRESSED';

/** The three vectors measured at one (layer, position), [d_model] float32 each, raw. */
export interface VectorSet extends Record<Variant, Float32Array> {
  /** The decoder block they come from, and the finetuned model's mean token norm after it. */
  layer: number;
  finetunedNorm: number;
}

/** Whose rounding points a reading follows: our own, or the published implementation's. */
export type ReadingMode = 'EXACT' | 'COMPAT';

/** The same as the engine's options have it. */
export const engineMode = (mode: ReadingMode) => (mode === 'COMPAT' ? 'compat' : 'exact');

/** What a method read out of one of them: tokens, strongest first. */
export interface Projection {
  variant: Variant;
  sign: Sign;
  tokens: ReadToken[];
  /** What the vector was multiplied by, above 0; absent where the method knows no scales. */
  scale?: number;
  /** Of several scales, the one to look at first, and what the choice gave this one. */
  chosen?: boolean;
  score?: number | null;
  /** EXACT when absent. */
  mode?: ReadingMode;
}

export interface ReadToken {
  tokenId: number;
  text: string | null;
  probability: number;
}

export interface MethodContext {
  base: Model;
  finetuned: Model;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A way to read vectors. A method is one file here and one line in index.ts. */
export interface Method<Parameters extends JsonObject = JsonObject> {
  /** Words with dashes; part of public keys, so never renamed. */
  readonly name: string;
  /** Raised whenever the same input would give another output. */
  readonly version: number;
  /** One sentence for lists and help. */
  readonly summary: string;
  readonly parameters: z.ZodType<Parameters>;
  /** Reads every set at once. @returns one list of projections a set, in their order */
  project(
    sets: readonly VectorSet[],
    context: MethodContext,
    parameters: Parameters,
  ): Promise<Projection[][]>;
}

export const defineMethod = <Parameters extends JsonObject>(method: Method<Parameters>): Method<Parameters> =>
  method;
