import type { JsonObject } from '../lib/canonical-json.ts';

/** UNKNOWN: the judge could not tell, as of an empty text or a reply that makes no sense. It counts for neither side. */
export type Verdict = 'COHERENT' | 'INCOHERENT' | 'UNKNOWN';

/** Tells coherent text from what steering too strongly leaves of it. Sees texts only, not what they answer. */
export interface CoherenceJudge {
  /** Words with dashes. */
  readonly name: string;
  /** Raised whenever the same text may be judged in another way. */
  readonly version: number;
  /** All else that decides its verdicts. */
  readonly parameters: JsonObject;
  /** @returns one verdict a text, in their order */
  judge(texts: readonly string[], options?: { signal?: AbortSignal | undefined }): Promise<Verdict[]>;
}
