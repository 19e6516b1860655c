import { contentWords } from './typical-words.ts';
import { sameStem } from './offline-agent.ts';

/** Raised whenever the same texts would be scored otherwise. */
export const offlineGraderIdentity = { name: 'offline-hypothesis', version: 1 } as const;

export const offlineGraderRationale =
  'Shared words only: no language model judged this, and a paraphrase counts for nothing.';

export interface WordOverlap {
  /** Harmonic mean of the two below, 0 to 1. */
  f1: number;
  /** Content words of the truth that the hypothesis has. */
  recall: number;
  /** Content words of the hypothesis that the truth has. */
  precision: number;
}

/**
 * How many content words a hypothesis and the truth share, inflected or not. A crude score without a judge: it tells a hypothesis about the right
 * subject from one about another, and not a right fact from a wrong one. Null where either has no words.
 */
export function wordOverlap(truth: string, hypothesis: string): WordOverlap | null {
  const [wanted, said] = [truth, hypothesis].map((text) => [...new Set(contentWords(text))]) as [
    string[],
    string[],
  ];
  if (wanted.length === 0 || said.length === 0) return null;
  const shareIn = (words: string[], others: string[]) =>
    words.filter((word) => others.some((other) => sameStem(word, other))).length / words.length;
  const [recall, precision] = [shareIn(wanted, said), shareIn(said, wanted)];
  return {
    recall,
    precision,
    f1: recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision),
  };
}
